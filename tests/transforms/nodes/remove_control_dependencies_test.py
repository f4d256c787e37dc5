"""remove_control_dependencies: nothing waits for an Assert, and everything else goes on as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alike import assert_same_answers
from tests.support.by_hand import (
    answers,
    meta_graph,
    request_nodes,
    request_ops,
    servable,
    slim,
    v1,
    variable,
)
from tests.support.old_control_flow import old_control_flow

X = np.random.default_rng(4).normal(size=(2, 3)).astype(np.float32)
REMOVE = "remove_control_dependencies"


def placeholder() -> Any:
    return v1.placeholder(tf.float32, [None, 3], "x")


def refused_over_50(x: Any) -> Any:
    with tf.control_dependencies([v1.assert_less(x, 50.0)]):
        return tf.identity(x)


def controls(directory: str) -> int:
    return sum(name.startswith("^") for node in request_nodes(directory) for name in node.input)


def test_asserts_stop_running_and_other_answers_stay(tmp_path: Path) -> None:
    source = servable(tmp_path, lambda: ({"x": (x := placeholder())}, {"y": refused_over_50(x) * 2.0}))
    path, _ = slim(source, REMOVE)
    assert controls(source) > controls(path) == 0
    assert isinstance(answers(source, {"x": X * 1000}), str)
    np.testing.assert_array_equal(answers(path, {"x": X * 1000})["y"], X * 2000)
    assert_same_answers(path, source, {"x": X})


@old_control_flow()
def test_asserts_of_tensorflow_1_stop_running_too(tmp_path: Path) -> None:
    test_asserts_stop_running_and_other_answers_stay(tmp_path)


def test_tables_and_the_init_op_still_run_at_load(tmp_path: Path) -> None:
    def network() -> Any:
        words = v1.placeholder(tf.string, [None], "words")
        with tf.control_dependencies([tf.raw_ops.Assert(
                condition=tf.size(words) < 5, data=["too many"])]):
            few = tf.identity(words)
        ids = v1.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(
            ["turn", "on"], tf.constant([0, 1], tf.int64)), -1).lookup(few)
        return {"words": words}, {"ids": ids}

    source = servable(tmp_path, network)
    path, _ = slim(source, REMOVE)
    init = {n.name: n for n in meta_graph(path).graph_def.node}[
        meta_graph(path).collection_def["saved_model_main_op"].node_list.value[0]]
    assert [name.startswith("^") for name in init.input] == [True]
    assert request_ops(path)["Assert"] == 0
    assert_same_answers(path, source, {"words": np.array([b"on", b"off"], object)})


def test_a_variable_that_requests_change_goes_on_changing(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder()
        count = v1.get_variable("count", initializer=40.0, use_resource=True)
        with tf.control_dependencies([count.assign_add(1.0)]):
            now = count.read_value()
        return {"x": x}, {"count": now, "y": refused_over_50(x) + now}

    source = servable(tmp_path, network)
    path, _ = slim(source, REMOVE)
    assert request_ops(path)["Assert"] == 0
    assert_same_answers(path, source, *[{"x": X}] * 3)
    assert [a["count"] for a in answers(path, *[{"x": X}] * 3)] == [41.0, 42.0, 43.0]


def test_a_table_that_requests_change_goes_on_changing(tmp_path: Path) -> None:
    def network() -> Any:
        key = v1.placeholder(tf.int64, [], "key")
        table = tf.raw_ops.MutableHashTableV2(key_dtype=tf.int64, value_dtype=tf.int64, shared_name="t")
        seen = tf.raw_ops.LookupTableFindV2(table_handle=table, keys=key,
                                            default_value=tf.constant(-1, tf.int64))
        with tf.control_dependencies([seen]):
            insert = tf.raw_ops.LookupTableInsertV2(table_handle=table, keys=key, values=key * 2)
        with tf.control_dependencies([insert]):
            return {"key": key}, {"seen": tf.identity(seen)}

    source = servable(tmp_path, network)
    path, _ = slim(source, REMOVE)
    assert_same_answers(path, source, {"key": 3}, {"key": 3}, {"key": 4})
    assert [int(a["seen"]) for a in answers(path, {"key": 3}, {"key": 3})] == [-1, 6]


def _branches(x: Any) -> Any:
    return v1.cond(tf.reduce_sum(x) > 0.0, lambda: tf.constant(7.0), lambda: tf.constant(-7.0))


def _loop(x: Any) -> Any:
    return v1.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * tf.constant(2.0)), [0, x])[1]


def _loop_in_a_branch(x: Any) -> Any:
    return v1.cond(tf.reduce_sum(x) > 0.0, lambda: _loop(x) + tf.constant(1.0), lambda: -x)


def _branch_in_a_loop(x: Any) -> Any:
    return v1.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v + _branches(v)), [0, x])[1]


def _loop_in_a_loop(x: Any) -> Any:
    return v1.while_loop(lambda i, _: i < 2, lambda i, v: (i + 1, _loop(v) + tf.constant(1.0)),
                         [0, x])[1]


@old_control_flow()
@pytest.mark.parametrize("build", [_branches, _loop, _loop_in_a_branch, _branch_in_a_loop,
                                   _loop_in_a_loop])
def test_branches_and_loops_of_tensorflow_1_keep_their_constants(
        tmp_path: Path, build: Callable) -> None:
    def network() -> Any:
        x = placeholder()
        return {"x": x}, {"y": refused_over_50(build(refused_over_50(x)))}

    source = servable(tmp_path, network)
    path, _ = slim(source, REMOVE)
    assert controls(path) < controls(source)
    assert request_ops(path)["Assert"] == 0
    small = X / 10  # stays below 50, which the slim servable does not refuse
    assert_same_answers(path, source, {"x": small}, {"x": -small}, {"x": small[:1]})


def test_what_a_signature_fetches_or_feeds_stays(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder()
        with tf.control_dependencies([tf.raw_ops.Assert(
                condition=tf.reduce_all(x < 50.0), data=["big"])]):
            checked = tf.identity(x, "checked")
            constant = tf.constant([1.0, 2.0], name="constant")
        y = checked * variable("scale", np.float32(3.0))
        return {"serving_default": ({"x": x}, {"y": y, "constant": constant}),
                "checked": ({"checked": checked}, {"y": y})}

    source = servable(tmp_path, network)
    path, _ = slim(source, REMOVE)
    assert_same_answers(path, source, {"x": X, "checked": X})
