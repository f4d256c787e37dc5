"""Tables whose equal rows are stored once answer bit for bit, and refuse what they refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.graph import SLICE_BYTES
from estimator_slim.transforms import TRANSFORMS
from tests.support.alike import assert_same_answers
from tests.support.ask_v2 import ask_v2_fresh
from tests.support.by_hand import (
    answers,
    bytes_of,
    reasons,
    request_ops,
    servable,
    slim,
    stored,
    v1,
    variable,
)
from tests.support.models.canned_dnn import ASKED, IDS, train
from tests.support.models.zoo import config, export_parsing, inputs, texts
from tests.support.old_control_flow import old_control_flow

ROWS = 20_000
USED = np.array([0, 3, 777, 9_999, ROWS - 1])
ROW_IDS = np.array([0, 1, 3, 777, ROWS - 1, 3, 5_000], np.int64)


def sparse(*shape: int, used: np.ndarray = USED, dtype: Any = np.float32) -> np.ndarray:
    """Zeros, but for rows `used`."""
    values = np.zeros(shape, dtype)
    values[used] = np.random.default_rng(2).normal(1, 9, size=(len(used), *shape[1:]))
    return values


def lookup(values: np.ndarray, kind: Any = tf.int64) -> Callable[[], Any]:
    def network() -> Any:
        ids = v1.placeholder(kind, None, "ids")
        return {"ids": ids}, {"rows": tf.gather(variable("table", values), ids)}
    return network


@pytest.mark.parametrize("kind", [tf.int32, tf.int64], ids=lambda k: k.name)
@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1), (ROWS, 3), (ROWS, 2, 2)], ids=str)
def test_a_sparse_table_is_small_and_answers_the_same(tmp_path: Path, shape: tuple, kind: Any) -> None:
    source = servable(tmp_path, lookup(sparse(*shape), kind))
    path, _ = slim(source, "sparsify_gather")
    assert bytes_of(path) < bytes_of(source) / 2
    assert request_ops(path)["LowerBound"] == 1
    assert_same_answers(path, source, {"ids": ROW_IDS}, {"ids": ROW_IDS[:0]}, {"ids": ROW_IDS[2]},
                        {"ids": ROW_IDS[:6].reshape(2, 3)})


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.int64], ids=lambda d: d.__name__)
def test_values_of_any_number_type_stay_as_they_are(tmp_path: Path, dtype: Any) -> None:
    source = servable(tmp_path, lookup(sparse(ROWS, 8, dtype=dtype)))
    path, _ = slim(source, "sparsify_gather")
    assert request_ops(path)["LowerBound"] == 1
    assert_same_answers(path, source, {"ids": ROW_IDS})


@pytest.mark.parametrize("ids", [[-1], [0, ROWS], [2**31 - 1, 0]], ids=str)
def test_ids_that_are_no_rows_are_refused_as_before(tmp_path: Path, ids: list) -> None:
    source = servable(tmp_path, lookup(sparse(ROWS, 3)))
    path, _ = slim(source, "sparsify_gather")
    assert answers(path, {"ids": ids}) == answers(source, {"ids": ids}) == "InvalidArgumentError"


def test_ids_that_a_hash_bounds_are_not_checked(tmp_path: Path) -> None:
    def network() -> Any:
        words = v1.placeholder(tf.string, [None], "words")
        ids = tf.strings.to_hash_bucket_fast(words, ROWS)
        return {"words": words}, {"rows": tf.gather(variable("table", sparse(ROWS, 3)), ids)}

    source = servable(tmp_path, network)
    path, _ = slim(source, "sparsify_gather")
    assert request_ops(path)["LowerBound"] == 1
    assert request_ops(path)["Assert"] == 0
    assert_same_answers(path, source, {"words": texts(*(str(n) for n in range(200)))})


def test_every_loader_finds_the_rows(tmp_path: Path) -> None:
    source = servable(tmp_path, lookup(sparse(ROWS, 3), tf.int32))
    path, _ = slim(source, "sparsify_gather(group_init_node=fill_tables)")
    assert_same_answers(path, source, {"ids": ROW_IDS})
    (got,) = ask_v2_fresh([path], ROW_IDS.astype(np.int32)).values()
    np.testing.assert_array_equal(got["serving_default", "rows"], sparse(ROWS, 3)[ROW_IDS])


def test_tables_and_assets_that_are_there_are_still_filled(tmp_path: Path) -> None:
    def network() -> Any:
        words = v1.placeholder(tf.string, [None], "words")
        file = tmp_path / "words.txt"
        file.write_text("turn\non\n", encoding="utf-8")
        ids = v1.lookup.StaticHashTable(tf.lookup.TextFileInitializer(
            str(file), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER), 3).lookup(words)
        return {"words": words}, {"rows": tf.gather(variable("table", sparse(ROWS, 3)), ids)}

    source = servable(tmp_path, network)
    path, _ = slim(source, "sparsify_gather")
    assert request_ops(path)["LowerBound"] == 1
    assert_same_answers(path, source, {"words": texts("on", "new", "turn")})


def test_a_table_of_nothing_but_zeros_answers_zeros(tmp_path: Path) -> None:
    source = servable(tmp_path, lookup(np.zeros((ROWS, 3), np.float32)))
    path, _ = slim(source, "sparsify_gather")
    assert request_ops(path)["LowerBound"] == 1
    assert_same_answers(path, source, {"ids": ROW_IDS})


def test_rows_that_are_not_numbers_count_as_rows(tmp_path: Path) -> None:
    values = sparse(ROWS, 3)
    values[5_000] = np.nan
    values[1] = 1e-38
    source = servable(tmp_path, lookup(values))
    path, _ = slim(source, "sparsify_gather")
    assert_same_answers(path, source, {"ids": ROW_IDS})
    assert np.isnan(answers(path, {"ids": [5_000]})["rows"]).all()


def test_what_is_kept_can_be_quantized(tmp_path: Path) -> None:
    source = servable(tmp_path, lookup(sparse(40_000, 64, used=np.arange(0, 40_000, 10))))
    path, _ = slim(source, "sparsify_gather quantize_weights", weights="variables")
    assert np.dtype("i1") in {v.dtype for v in stored(path).values()}
    rows = np.arange(0, 4000, 5)
    wanted = answers(source, {"ids": rows})["rows"]
    # quantize_weights' own promise: half a step, the largest magnitude of the row / 127.
    half_step = np.abs(wanted).max(axis=1, keepdims=True) / 254
    assert (np.abs(answers(path, {"ids": rows})["rows"] - wanted) <= half_step * (1 + 1e-5)).all()


def _read_whole(table: Any, ids: Any) -> dict:
    return {"rows": tf.gather(table, ids), "sum": tf.reduce_sum(table)}


def _waiting(table: Any, ids: Any) -> dict:
    with tf.control_dependencies([tf.raw_ops.Assert(condition=tf.size(ids) < 5, data=["too many"])]):
        constant = tf.constant(sparse(ROWS, 3), name="waiting")
    return {"rows": tf.gather(constant, ids)}


@pytest.mark.parametrize("build, values, reason", [
    (lambda table, ids: {"rows": tf.gather(table, ids)}, sparse(ROWS, 3, used=np.arange(ROWS)), ""),
    (lambda table, ids: {"rows": tf.gather(table, ids)}, sparse(60, 3, used=USED[:2]), ""),
    (_read_whole, sparse(ROWS, 3), "most of its rows are equal"),
    (lambda table, ids: {"rows": tf.gather(table, ids % 3, axis=1)}, sparse(ROWS, 3), ""),
    (_waiting, sparse(ROWS, 3), "most of its rows are equal"),
], ids=["dense", "small", "read as a whole", "columns", "control dependency"])
def test_other_tables_stay_as_they_are(
        tmp_path: Path, build: Callable, values: np.ndarray, reason: str) -> None:
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        return {"ids": ids}, build(variable("table", values), ids)

    source = servable(tmp_path, network)
    path, report = slim(source, "sparsify_gather")
    assert request_ops(path)["LowerBound"] == 0
    assert reason in reasons(report)
    assert_same_answers(path, source, {"ids": ROW_IDS}, {"ids": [0, 1]})


def test_a_lookup_in_a_loop_of_tensorflow_1_stays(tmp_path: Path) -> None:
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        table = sparse(ROWS, 3)
        total = v1.while_loop(lambda i, _: i < 2, lambda i, v: (i + 1, v + tf.gather(table, ids)),
                              [0, tf.zeros([tf.size(ids), 3])])[1]
        return {"ids": ids}, {"total": total}

    with old_control_flow():
        source = servable(tmp_path, network)
    path, _ = slim(source, "sparsify_gather")
    assert_same_answers(path, source, {"ids": ROW_IDS})


def test_a_linear_classifier_keeps_the_weights_of_words_that_it_saw(tmp_path: Path) -> None:
    column = tf.feature_column.categorical_column_with_hash_bucket("words", 30_000)
    estimator = tf.estimator.LinearClassifier([column], n_classes=3, config=config(str(tmp_path)))
    source = export_parsing(str(tmp_path), estimator, train(IDS), [column])
    path, _ = slim(source, "sparsify_gather")
    assert bytes_of(path) < bytes_of(source) / 2
    assert_same_answers(path, source, *ASKED)


def test_rows_are_found_and_read_across_slices(tmp_path: Path) -> None:
    width, count = 1024, 3 * SLICE_BYTES // 4096 + 5
    used = np.array([0, 7, SLICE_BYTES // 4096, count - 2, count - 1])
    source = servable(tmp_path, lookup(sparse(count, width, used=used)))
    path, _ = slim(source, "sparsify_gather")
    assert bytes_of(path) < bytes_of(source) / 100
    assert_same_answers(path, source, {"ids": np.append(used, [1, 6, 8, count - 3])})


# ---- any row that most rows are


def frequent(row: list, others: np.ndarray = USED) -> np.ndarray:
    """[ROWS, 3]: `row`, but for rows `others`."""
    values = np.tile(np.float32(row), (ROWS, 1))
    values[others] = sparse(ROWS, 3)[others]
    return values


@pytest.mark.parametrize("row", [[1, 2, 3], [0, 0, 0], [-0.0, 0, 0], [np.nan, np.inf, 0]], ids=str)
def test_the_row_that_most_rows_are_is_stored_once_bit_for_bit(tmp_path: Path, row: list) -> None:
    source = servable(tmp_path, lookup(frequent(row)))
    path, report = slim(source, "merge_identical_rows")
    assert bytes_of(path) < bytes_of(source) / 10
    (treated,) = report.steps[0].treated
    assert (treated.rows, treated.shape, treated.bytes_before) == (len(USED), (ROWS, 3), ROWS * 12)
    for ids in ROW_IDS, ROW_IDS[:0], ROW_IDS[:6].reshape(3, 2):
        want, got = (answers(one, {"ids": ids})["rows"] for one in (source, path))
        assert want.tobytes() == got.tobytes()


def test_zeros_of_either_sign_are_not_equal(tmp_path: Path) -> None:
    values = frequent([0, 0, 0])
    values[5_000] = [-0.0, 0, 0]
    path, _ = slim(servable(tmp_path, lookup(values)), "merge_identical_rows")
    assert np.signbit(answers(path, {"ids": [5_000]})["rows"][0, 0])


@pytest.mark.parametrize("values", [
    np.arange(ROWS * 3, dtype=np.float32).reshape(ROWS, 3),
    frequent([1, 2, 3], np.arange(0, ROWS, 2)),
    np.repeat(np.arange(ROWS // 10, dtype=np.float32), 30).reshape(ROWS, 3),
], ids=["all differ", "half differ", "ten of each"])
def test_where_no_row_is_most_rows_the_table_stays(tmp_path: Path, values: np.ndarray) -> None:
    path, report = slim(servable(tmp_path, lookup(values)), "merge_identical_rows")
    assert request_ops(path)["LowerBound"] == 0
    assert report.steps[0].treated == []


def test_a_linear_model_of_ftrl_with_l1_loses_no_answer_and_most_of_its_bytes(tmp_path: Path) -> None:
    column = tf.feature_column.categorical_column_with_hash_bucket("words", 400_000)
    estimator = tf.estimator.LinearClassifier(
        [column], n_classes=3, config=config(str(tmp_path)),
        optimizer=lambda: tf.keras.optimizers.legacy.Ftrl(0.1, l1_regularization_strength=0.01))
    source = export_parsing(str(tmp_path), estimator, train(IDS), [column])
    path, _ = slim(source, "simplify_lookups merge_identical_rows")
    assert bytes_of(path) < bytes_of(source) / 10
    assert_same_answers(path, source, *ASKED)


@pytest.mark.parametrize("transform", ["merge_identical_rows", "sparsify_gather"])
def test_answers_of_rows_that_are_stored_once_are_held_to_the_bounds_like_any_other(
        tmp_path: Path, transform: str) -> None:
    source = servable(tmp_path, lookup(sparse(ROWS, 3)))
    _, report = slim(source, transform, verify="enforce",
                     verify_input_fn=inputs({"ids": np.tile(ROW_IDS, 3)}, np.zeros(21)))
    found = report.verification
    assert report.steps[0].treated and found is not None and found.apart is None
    (rows,) = found.outputs
    assert rows.examples is not None and rows.examples.rows == found.examples


def test_an_init_op_without_a_name_is_an_error_at_construction() -> None:
    with pytest.raises(OptionError, match="group_init_node"):
        TRANSFORMS["sparsify_gather"](group_init_node="")
