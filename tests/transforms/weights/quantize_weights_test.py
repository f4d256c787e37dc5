"""quantize_weights: how near looked-up rows stay, for every width, type and size of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alike import assert_same_answers
from tests.support.by_hand import answers, reasons, request_ops, servable, slim, stored, v1, variable
from tests.support.sample import in_turn

QUANTIZE = "strip_unused_nodes quantize_weights(bits={}, granularity={}, minimum_size=1)"


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(dtype)


def table_servable(folder: Path, values: np.ndarray) -> str:
    """`ids` in, `rows` of a table of these values out."""
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        return {"ids": ids}, {"rows": tf.gather(variable("table", values), ids)}
    return servable(folder, network)


def looked_up(directory: str, count: int) -> np.ndarray:
    """All rows of the table, as requests see them."""
    return answers(directory, {"ids": np.arange(count)})["rows"]


def magnitude(values: np.ndarray, granularity: str) -> np.ndarray:
    """What sets each row's scale, [n, 1]: its own, its block's or the table's largest value."""
    rows = np.abs(values.reshape(len(values), -1).astype(np.float64))
    if granularity == "table":
        return np.full((len(rows), 1), rows.max())
    per_block = 1
    while per_block * rows.shape[1] < 64:
        per_block *= 2
    blocks = np.array([rows[i:i + per_block].max() for i in range(0, len(rows), per_block)])
    return blocks[np.arange(len(rows)) // per_block, None]


def assert_on_grid(got: np.ndarray, values: np.ndarray, bits: int, granularity: str) -> None:
    """No value is farther off than the grid that its row promises; float32 rounds on top."""
    assert got.shape == values.shape
    assert got.dtype == values.dtype
    error = np.abs(got.astype(np.float64) - values).reshape(len(values), -1)
    exact = np.abs(values.astype(np.float64)).reshape(len(values), -1)
    reach = magnitude(values, granularity)
    rounding = {2: 2.0**-11, 4: 2.0**-22, 8: 2.0**-22}[values.dtype.itemsize] * reach
    if bits == 16:
        assert np.all(error <= np.maximum(exact * 2.0**-11, 2.0**-25))
    elif bits == 8:
        assert np.all(error <= reach / 127 / 2 + rounding)
    elif granularity == "table":
        assert np.all(error <= np.ptp(values) / 15 / 2 + rounding)
    else:
        assert_least_squares(error, values)


def assert_least_squares(error: np.ndarray, values: np.ndarray) -> None:
    """Each row's (block's) squared error is not above that of the range from its min to its max."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    per_block = 1
    while per_block * rows.shape[1] < 64:
        per_block *= 2
    for first in range(0, len(rows), per_block):
        block = rows[first:first + per_block]
        low, step = block.min(), max(np.ptp(block) / 15, 1e-30)
        plain = np.rint((block - low) / step) * step + low - block
        assert np.sum(error[first:first + per_block]**2) <= np.sum(plain**2) * (1 + 1e-5) + 1e-12


@in_turn(3, shape=[(300, 1), (300, 3), (300, 5), (300, 64), (64, 131), (40, 6, 7)], bits=[8, 4, 16],
         granularity=["row", "table"])
def test_every_row_is_as_near_as_its_grid_promises(
        tmp_path: Path, shape: tuple, bits: int, granularity: str) -> None:
    values = normal(*shape) * np.geomspace(1e-3, 1e2, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    values = values.astype(np.float32)
    path, _ = slim(table_servable(tmp_path, values), QUANTIZE.format(bits, granularity))
    narrow = bits == 4 and shape[-1] == 1  # two codes of a row make a byte, and there is only one
    assert_on_grid(looked_up(path, len(values)), values, 8 if narrow else bits, granularity)


@pytest.mark.parametrize(("bits", "dtype", "width"),
                         [(8, np.int8, 65), (4, np.uint8, 33), (16, np.float16, 65)])
def test_the_codes_on_disk_take_the_bits_that_were_asked_for(
        tmp_path: Path, bits: int, dtype: Any, width: int) -> None:
    values = normal(9000, 65)
    path, report = slim(table_servable(tmp_path, values), QUANTIZE.format(bits, "row"))
    codes = stored(path)["table/codes"]
    assert (codes.dtype, codes.shape) == (dtype, (9000, width))
    assert "table" not in stored(path)
    grids = {8: 1, 4: 2, 16: 0}[bits] * 9000 * 4
    assert 0 <= report.bytes_after - codes.nbytes - grids < 20_000  # the graph
    assert_on_grid(looked_up(path, 9000), values, bits, "row")


@pytest.mark.parametrize(("bits", "dtype", "width"),
                         [(8, np.int8, 7), (4, np.uint8, 4), (16, np.float16, 7)])
def test_a_small_table_is_codes_on_disk_and_costs_no_request_anything(
        tmp_path: Path, bits: int, dtype: Any, width: int) -> None:
    values = normal(3001, 7)
    path, _ = slim(table_servable(tmp_path, values),
                   f"remove_nodes(op=Identity) {QUANTIZE.format(bits, 'row')}")
    assert request_ops(path) == {"Placeholder": 1, "VarHandleOp": 1, "ResourceGather": 1}
    [codes] = (value for key, value in stored(path).items() if key.endswith("/codes"))
    assert (codes.dtype, codes.shape) == (dtype, (3001, width))
    assert_on_grid(looked_up(path, 3001), values, bits, "row")


def test_what_is_little_of_a_large_table_is_codes_on_disk_and_costs_no_request_anything(
        tmp_path: Path) -> None:
    values = normal(1100, 64)  # 282 kB, of 74 MB

    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        whole = tf.pad(values, [[0, 290_000 - len(values)], [0, 0]])
        table = v1.get_variable("table", initializer=whole)
        return {"ids": ids}, {"rows": tf.gather(table, ids)}

    path, report = slim(servable(tmp_path, network), "merge_identical_rows quantize_weights")
    assert {"Cast", "Mul", "Dequantize"}.isdisjoint(request_ops(path)), reasons(report)
    assert [value.shape for key, value in stored(path).items() if key.endswith("/codes")] == [(1101, 64)]
    assert_on_grid(looked_up(path, len(values)), values, 8, "row")
    assert not answers(path, {"ids": [1100, 289_999]})["rows"].any()


def test_a_width_of_one_gets_a_scale_for_each_block_of_rows(tmp_path: Path) -> None:
    values = normal(300_001, 1) * 10
    path, _ = slim(table_servable(tmp_path, values), "quantize_weights", weights="variables")
    parts = stored(path)
    codes = next(v for k, v in parts.items() if "codes" in k)
    scale = next(v for k, v in parts.items() if "scale" in k)
    assert (codes.dtype, codes.shape) == (np.int8, (300_001, 1))
    assert scale.shape == (-(-300_001 // 64), 1)
    assert_on_grid(looked_up(path, len(values)), values, 8, "row")


@pytest.mark.parametrize("granularity", ["row", "table"])
def test_a_one_sided_table_gets_an_offset_and_half_the_error(
        tmp_path: Path, granularity: str) -> None:
    values = np.abs(normal(9000, 64)) + 3
    path, _ = slim(table_servable(tmp_path, values), QUANTIZE.format(8, granularity))
    assert stored(path)["table/codes"].dtype == np.uint8
    span = np.ptp(values, axis=1, keepdims=True) if granularity == "row" else np.ptp(values)
    error = np.abs(looked_up(path, 9000).astype(np.float64) - values)
    assert np.all(error <= span / 255 / 2 + 2.0**-22 * values.max())


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
@pytest.mark.parametrize("bits", [8, 4])
def test_tables_of_other_floats_keep_their_type(tmp_path: Path, dtype: Any, bits: int) -> None:
    values = normal(300, 64, dtype=dtype)
    path, report = slim(table_servable(tmp_path, values), QUANTIZE.format(bits, "row"))
    assert "table" not in reasons(report)
    got = looked_up(path, 300)
    assert got.dtype == dtype
    if bits == 8:
        assert_on_grid(got, values, bits, "row")
    else:
        span = np.ptp(values.astype(np.float64), axis=1, keepdims=True)
        assert np.sqrt(np.mean(((got - values.astype(np.float64)) / span)**2)) <= 1 / 15 / 12**0.5


def test_a_float16_table_has_16_bits_already(tmp_path: Path) -> None:
    values = normal(300, 64, dtype=np.float16)
    path, report = slim(table_servable(tmp_path, values), QUANTIZE.format(16, "row"))
    np.testing.assert_array_equal(looked_up(path, 300), values)
    assert "table: it holds half" in reasons(report) or "table: it holds float16" in reasons(report)


@in_turn(3, bad=[np.nan, np.inf, -np.inf], bits=[8, 4, 16], rows={"constant": 300, "variable": 3000})
def test_a_weight_with_nan_or_infinity_is_left_alone_and_the_report_says_why(
        tmp_path: Path, bad: float, bits: int, rows: int) -> None:
    values = normal(rows, 64)
    values[rows - 3, 5] = bad
    path, report = slim(table_servable(tmp_path, values), QUANTIZE.format(bits, "row"))
    np.testing.assert_array_equal(looked_up(path, rows), values)
    assert f"table: not every value can be coded: row {rows - 3} " in reasons(report)


def test_a_weight_beyond_float16_is_left_alone_at_16_bits_and_the_report_says_why(
        tmp_path: Path) -> None:
    values = normal(300, 64)
    values[7, 3] = 65520  # float16 would round it to infinity
    path, report = slim(table_servable(tmp_path, values), QUANTIZE.format(16, "row"))
    np.testing.assert_array_equal(looked_up(path, 300), values)
    assert "table: not every value can be coded: row 7 " in reasons(report)
    assert "65520" in reasons(report)


@pytest.mark.parametrize(("minimum", "is_coded"), [(300 * 5, True), (300 * 5 + 1, False)])
def test_minimum_size_is_the_smallest_number_of_values_that_is_coded(
        tmp_path: Path, minimum: int, is_coded: bool) -> None:
    values = normal(300, 5)
    path, report = slim(table_servable(tmp_path, values),
                        f"quantize_weights(minimum_size={minimum})")
    assert ("VarHandleOp" in request_ops(path)) == is_coded
    assert ("table: it has 1500 values, fewer than minimum_size" in reasons(report)) != is_coded
    if not is_coded:
        np.testing.assert_array_equal(looked_up(path, 300), values)


@pytest.mark.parametrize("values", [np.zeros((70, 9)), np.full((70, 9), -3.25),
                                    np.full((70, 9), 3e38), np.full((70, 9), 1e-40)],
                         ids=["zero", "constant", "huge", "denormal"])
@pytest.mark.parametrize("bits", [8, 4])
def test_flat_and_extreme_tables_stay_finite_and_near(
        tmp_path: Path, values: np.ndarray, bits: int) -> None:
    values = values.astype(np.float32)
    path, _ = slim(table_servable(tmp_path, values), QUANTIZE.format(bits, "row"))
    got = looked_up(path, 70)
    assert np.all(np.isfinite(got))
    np.testing.assert_allclose(got, values, rtol=1e-6, atol=1.2e-38)


@in_turn(2, case=[((300, 1), "auto"), ((300, 7), "auto"), ((9000, 64), "auto"),
                  ((300, 64), "variables")], bits=[8, 4, 16])
def test_ids_that_were_refused_are_refused_and_no_ids_give_no_rows(
        tmp_path: Path, case: tuple, bits: int) -> None:
    shape, placed = case
    source = table_servable(tmp_path, normal(*shape))
    path, _ = slim(source, QUANTIZE.format(bits, "row"), weights=placed)
    requests = [{"ids": np.array(ids, np.int64)} for ids in
                ([shape[0]], [-1], [0, shape[0] + 10**9], [3, -2**40])]
    assert answers(path, *requests) == answers(source, *requests)
    assert isinstance(answers(path, requests[0]), str)
    assert_same_answers(path, source, {"ids": np.zeros(0, np.int64)})
