"""Transforms reach into loops and branches, and what these do stays done."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.alike import assert_same_answers
from tests.support.by_hand import answers, meta_graph, servable, slim, variable

v1 = tf.compat.v1
X = np.arange(6, dtype=np.float32).reshape(2, 3)
LOSSLESS = ("strip_unused_nodes remove_nodes(op=Identity) fold_constants merge_duplicate_nodes "
            "sort_by_execution_order")


def export(tmp_path: Path, network: Any) -> str:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        return {"x": x}, {"y": network(x)}
    return servable(tmp_path, build)


def ops_in_functions(directory: str) -> Counter:
    library = meta_graph(directory).graph_def.library
    return Counter(node.op for function in library.function for node in function.node_def)


def test_constants_in_a_loop_are_computed_once_and_duplicates_merged(tmp_path: Path) -> None:
    def step(i: tf.Tensor, a: tf.Tensor) -> Any:
        shift = tf.sin(tf.constant(2.0)) * tf.cos(tf.constant(3.0))
        return i + 1, tf.tanh(a) + tf.tanh(a) * tf.identity(shift)
    source = export(tmp_path, lambda x: tf.while_loop(lambda i, _: i < 5, step, (0, x))[1])
    path, _ = slim(source, LOSSLESS)
    before, after = ops_in_functions(source), ops_in_functions(path)
    assert (before["Sin"], before["Tanh"]) == (1, 2)
    assert (after["Sin"], after["Cos"], after["Tanh"]) == (0, 0, 1)
    assert_same_answers(path, source, {"x": X}, {"x": X[:0]})


def test_the_nodes_of_functions_are_counted(tmp_path: Path) -> None:
    source = export(tmp_path, lambda x: tf.while_loop(
        lambda i, _: i < 5, lambda i, a: (i + 1, tf.tanh(a) * 2.0), (0, x))[1])
    path, report = slim(source, LOSSLESS)
    for directory, count in ((source, report.nodes_before), (path, report.nodes_after)):
        in_functions = sum(ops_in_functions(directory).values())
        assert count == len(meta_graph(directory).graph_def.node) + in_functions > in_functions > 5


def test_a_check_in_a_branch_still_refuses(tmp_path: Path) -> None:
    def checked(x: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([v1.debugging.assert_less(x, 10.0)]):
            return tf.identity(x) * 2.0
    source = export(tmp_path, lambda x: tf.cond(tf.reduce_sum(x) > 3, lambda: checked(x), lambda: x))
    path, _ = slim(source, LOSSLESS)
    assert_same_answers(path, source, {"x": X}, {"x": X * 0}, {"x": X + 100})
    assert answers(path, {"x": X + 100}) == "InvalidArgumentError"


def test_what_a_branch_changes_stays_changed(tmp_path: Path) -> None:
    def network(x: tf.Tensor) -> Any:
        count = variable("count", np.float32(0), use_resource=True)
        changed = tf.cond(tf.reduce_sum(x) > 3, lambda: count.assign_add(1.0), lambda: count + 0.0)
        return x + changed
    path, _ = slim(export(tmp_path, network), LOSSLESS)
    found = answers(path, {"x": X}, {"x": X * 0}, {"x": X})
    np.testing.assert_array_equal([a["y"][0, 0] for a in found], [1, 1, 2])


def test_functions_in_functions_in_a_loop_are_reached(tmp_path: Path) -> None:
    def step(i: tf.Tensor, a: tf.Tensor) -> Any:
        return i + 1, tf.cond(tf.reduce_sum(a) > 0, lambda: a * tf.sin(tf.constant(2.0)), lambda: a)
    source = export(tmp_path, lambda x: tf.while_loop(lambda i, _: i < 5, step, (0, x))[1])
    path, _ = slim(source, LOSSLESS)
    assert ops_in_functions(source)["Sin"] == 1 and not ops_in_functions(path)["Sin"]
    assert_same_answers(path, source, {"x": X}, {"x": -X})
