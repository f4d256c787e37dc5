"""Weights that loops, branches and functions read by the variable's handle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alike import assert_same_answers
from tests.support.by_hand import answers, bytes_of, reasons, servable, slim, stored, v1, variable
from tests.support.old_control_flow import old_control_flow

TABLE = np.random.default_rng(2).normal(size=(9000, 64)).astype(np.float32)
STEP = np.abs(TABLE).max(axis=1, keepdims=True) / 127
IDS = {"ids": np.array([0, 7, 8999])}


def in_a_loop(table: Any, ids: Any) -> Any:
    return tf.while_loop(lambda i, _: i < 3, lambda i, rows: (i + 1, rows + tf.gather(table, ids)),
                         [0, tf.zeros([tf.size(ids), 64])])[1]


def in_a_branch(table: Any, ids: Any) -> Any:
    return tf.cond(tf.size(ids) > 2, lambda: 3.0 * tf.gather(table, ids), lambda: tf.gather(table, ids))


def in_a_case(table: Any, ids: Any) -> Any:
    return tf.switch_case(tf.minimum(tf.size(ids), 4) - 3,
                          [lambda: 3.0 * tf.gather(table, ids), lambda: tf.gather(table, ids)])


def in_a_branch_in_a_loop(table: Any, ids: Any) -> Any:
    shapes = [tf.TensorShape([]), tf.TensorShape([None, 64])]
    return tf.while_loop(lambda i, _: i < 1, lambda i, _: (i + 1, in_a_branch(table, ids)),
                         [0, tf.zeros([tf.size(ids), 64])], shapes)[1]


def in_a_dataset(table: Any, ids: Any) -> Any:
    rows = tf.data.Dataset.from_tensor_slices(ids).map(lambda one: 3.0 * tf.gather(table, one))
    return rows.batch(100).get_single_element()


def in_a_dataset_of_datasets(table: Any, ids: Any) -> Any:
    """What a filter, an interleaving and a sum get hold of, each with something before or behind it."""
    def rows_of(one: Any) -> Any:
        found = tf.data.Dataset.from_tensors(one).map(lambda i: tf.gather(table, i))
        return found.filter(lambda row: tf.gather(table, one)[0] == row[0])
    rows = tf.data.Dataset.from_tensor_slices(ids).interleave(rows_of, cycle_length=1)
    total = rows.reduce(tf.zeros([64]), lambda sum, row: sum + row + 0.0 * tf.gather(table, 0))
    return in_a_dataset(table, ids) + 0.0 * total


def serve(folder: Path, rows: Callable, changes: Callable) -> str:
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        table = variable("table", TABLE, use_resource=True)
        with tf.control_dependencies([changes(table)]):
            return {"ids": ids}, {"rows": rows(table, ids), "one": tf.gather(table, ids)}
    return servable(folder, network)


@pytest.mark.parametrize("rows", [
    in_a_loop, in_a_branch, in_a_case, in_a_branch_in_a_loop, in_a_dataset, in_a_dataset_of_datasets])
def test_a_table_that_is_read_inside_is_codes_on_disk(tmp_path: Path, rows: Callable) -> None:
    source = serve(tmp_path, rows, lambda table: tf.no_op())
    path, report = slim(source, "strip_unused_nodes quantize_weights")
    assert bytes_of(path) < 0.3 * bytes_of(source)
    assert report.steps[-1].skipped == []
    got, wanted = answers(path, IDS), answers(source, IDS)
    assert np.all(np.abs(got["one"] - wanted["one"]) <= 0.51 * STEP[IDS["ids"]])
    np.testing.assert_allclose(got["rows"], 3 * got["one"], rtol=1e-6)
    lossless, _ = slim(source, "strip_unused_nodes fold_constants simplify_lookups")
    assert_same_answers(lossless, source, IDS, {"ids": [9000]}, {"ids": []})


def test_so_is_one_that_an_old_loop_enters_with(tmp_path: Path) -> None:
    with old_control_flow():
        source = serve(tmp_path, in_a_loop, lambda table: tf.no_op())
    path, _ = slim(source, "strip_unused_nodes quantize_weights")
    assert bytes_of(path) < 0.3 * bytes_of(source)
    got = answers(path, IDS)
    np.testing.assert_allclose(got["rows"], 3 * got["one"], rtol=1e-6)


def test_one_that_a_branch_changes_starts_where_it_was(tmp_path: Path) -> None:
    def change(table: Any) -> Any:
        return tf.cond(v1.train.get_or_create_global_step() < 0,
                       lambda: table.assign(table * 0.0).op, lambda: tf.no_op())
    source = serve(tmp_path, in_a_loop, change)
    path, report = slim(source, "strip_unused_nodes quantize_weights")
    assert reasons(report) == ("table: its values may change after loading, or it is not known what "
                               "reads it")
    np.testing.assert_array_equal(stored(path)["table"], TABLE)
    assert_same_answers(path, source, IDS)


def test_small_kernels_inside_stay_float(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 64], "x")
        kernel = variable("kernel", TABLE[:64], use_resource=True)
        y = tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, y @ kernel), [0, x])[1]
        return {"x": x}, {"y": y}
    source = servable(tmp_path, network)
    path, report = slim(source, "strip_unused_nodes quantize_weights")
    assert "it is small (16384 bytes)" in str(report.steps[-1].skipped)
    assert_same_answers(path, source, {"x": TABLE[:3]})


def test_of_shards_that_stay_each_is_told(tmp_path: Path) -> None:
    """Joined at each request, they are no table: fold_constants would join them."""
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        shards = [variable(f"shard{n}", TABLE[n * 500:][:500]) for n in range(4)]
        return {"ids": ids}, {"rows": tf.gather(tf.concat(shards, 0), ids)}
    source = servable(tmp_path, network)
    path, report = slim(source, "quantize_weights")
    assert reasons(report).count("something besides lookups reads it, and it is small") == 4
    joined, report = slim(source, "fold_constants quantize_weights")
    assert not reasons(report) and bytes_of(joined) < 0.4 * bytes_of(path)
