"""quantize_weights: tables that would lose what tells their rows apart, and rows of different sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support.by_hand import answers, bytes_of, reasons, servable, slim, stored, v1, variable
from tests.support.sample import in_turn

QUANTIZE = "strip_unused_nodes remove_nodes(op=Identity) quantize_weights(bits={}, granularity={})"
BELL = np.random.default_rng(1).standard_normal((9000, 64))


def table_servable(folder: Path, values: np.ndarray) -> str:
    """`ids` in, `rows` of a table of these values out."""
    def network() -> tuple:
        ids = v1.placeholder(tf.int64, [None], "ids")
        return {"ids": ids}, {"rows": tf.gather(variable("table", values), ids)}
    return servable(folder, network)


def times(width: int) -> np.ndarray:
    return 1.6e9 + np.random.default_rng(2).uniform(0, 60, (9000, width))


def with_times(values: np.ndarray, row: int) -> np.ndarray:
    values = values.copy()
    values[row] = times(values.shape[1])[row]
    return values


LOST = {
    "times in float64": (times(32), 8, 0, "float32"),
    "times in float64, one column": (times(1), 8, 0, "float32"),
    "times in float64, a scale for the table": (times(32), "table", 0, "float32"),
    "times in float64 with 4 bits": (times(64), 4, 0, "float32"),
    "small float64": (BELL * 1e-60, 8, 0, "float32"),
    "a row of times in float64": (with_times(BELL * 1e9, 8765), 8, 8765, "float32"),
    "a narrow row of times in float64": (with_times(BELL[:, :32] * 1e9, 8765), 4, 8765, "float32"),
    "denormals": ((BELL * 1e-41).astype(np.float32), 8, 0, "float32"),
    "denormals with 4 bits": ((BELL * 1e-41).astype(np.float32), 4, 0, "float32"),
    "denormals, a scale for the table": ((BELL * 1e-41).astype(np.float32), "table", 0, "float32"),
    "narrow denormals": ((BELL[:, :5] * 1e-41).astype(np.float32), 8, 0, "float32"),
    "around 1000 in float16": ((BELL * 1e-3 + 1000).astype(np.float32), 16, 0, "float16"),
    "small in float16": ((BELL * 1e-8).astype(np.float32), 16, 0, "float16"),
}


@pytest.mark.parametrize("kind", LOST)
def test_what_would_lose_its_values_is_left_alone_and_the_report_says_where(
        tmp_path: Path, kind: str) -> None:
    values, bits, row, name = LOST[kind]
    coding = (8, "table") if bits == "table" else (bits, "row")
    path, report = slim(table_servable(tmp_path, values), QUANTIZE.format(*coding), verify="off")
    np.testing.assert_array_equal(answers(path, {"ids": np.arange(9000)})["rows"], values)
    assert f"table: not every value can be coded: row {row} lies between" in reasons(report)
    assert f", of which {name} keeps " in reasons(report)


@pytest.mark.parametrize("bits", [8, 4, 16])
def test_a_row_that_decay_left_next_to_nothing_does_not_keep_the_table_from_being_coded(
        tmp_path: Path, bits: int) -> None:
    values = BELL.astype(np.float32)
    values[8765] *= 1e-41
    path, report = slim(table_servable(tmp_path, values), QUANTIZE.format(bits, "row"))
    assert "table" not in reasons(report)
    assert np.abs(answers(path, {"ids": [8765]})["rows"]).max() < 1e-37


@in_turn(2, values={"rows of zeros": np.where(BELL[:, :1] > 0, BELL, 0),
                    "rows of one value": BELL[:, :1].repeat(64, 1)}, bits=[8, 4, 16])
def test_rows_of_zeros_and_of_one_value_are_coded(
        tmp_path: Path, values: np.ndarray, bits: int) -> None:
    for dtype in (np.float32, np.float64):
        path, report = slim(table_servable(tmp_path, values.astype(dtype)), QUANTIZE.format(bits, "row"),
                            verify="off")
        assert "table" not in reasons(report)
        assert "table/codes" in stored(path)
        got = answers(path, {"ids": np.arange(9000)})["rows"]
        np.testing.assert_array_equal(got[~values.any(axis=1)], 0)


def similarity(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The cosine between each row and the other, 0 where one is 0."""
    size = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    return np.sum(rows * others, axis=1) / np.where(size > 0, size, 1)


SIZES = {"log-normal": np.exp(np.random.default_rng(3).standard_normal((40_000, 1))),
         "a hundredth is huge": np.where(np.arange(40_000) % 100 == 7, 1e15, 1)[:, None]}


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("bits", "least"), [(8, 0.999), (4, 0.9)])
@pytest.mark.parametrize("width", [3, 8, 16])
def test_every_row_keeps_its_direction_beside_larger_ones(
        tmp_path: Path, width: int, bits: int, least: float, sizes: str) -> None:
    values = np.random.default_rng(4).standard_normal((40_000, width)) * SIZES[sizes]
    values = values.astype(np.float32)
    path, report = slim(table_servable(tmp_path, values), QUANTIZE.format(bits, "row"), verify="off")
    assert "table" not in reasons(report)
    got = answers(path, {"ids": np.arange(40_000)})["rows"].astype(np.float64)
    assert similarity(got, values.astype(np.float64)).min() > least


@pytest.mark.parametrize(("width", "per_block"), [(1, 64), (2, 32), (3, 32), (5, 16), (16, 4), (40, 2)])
def test_rows_that_are_alike_share_a_scale_and_cost_no_more_bytes(
        tmp_path: Path, width: int, per_block: int) -> None:
    values = np.random.default_rng(5).standard_normal((100_000, width)).astype(np.float32)
    path, _ = slim(table_servable(tmp_path, values), QUANTIZE.format(8, "row"), verify="off",
                   weights="variables")
    scale = next(value for key, value in stored(path).items() if "scale" in key)
    assert scale.shape == (-(-100_000 // per_block), 1)
    assert bytes_of(path) < 100_000 * (width + 4 / per_block) + 10_000
