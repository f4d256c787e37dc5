"""Function calls become the nodes they stand for, and do all that they did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import function_pb2, node_def_pb2

from estimator_slim.errors import SourceError
from estimator_slim.graph.graph import Graph
from estimator_slim.graph.inlining import inline_calls
from estimator_slim.graph.interface import Interface
from tests.support.alike import assert_same_answers
from tests.support.by_hand import answers, request_nodes, request_ops, servable, slim, variable
from tests.support.old_control_flow import old_control_flow

v1 = tf.compat.v1
X = np.arange(6, dtype=np.float32).reshape(2, 3)
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def fed() -> Any:
    return v1.placeholder(tf.float32, [None, 3], "x")


def export(tmp_path: Path, function: Any) -> str:
    """A servable whose only output is what `function` makes of x."""
    def network() -> Any:
        x = fed()
        return {"x": x}, {"y": tf.function(function)(x)}
    return servable(tmp_path, network)


def test_a_call_and_the_calls_in_it_are_inlined(tmp_path: Path) -> None:
    @tf.function
    def inner(x: tf.Tensor) -> Any:
        return x * 2.0, x + 1.0

    def outer(x: tf.Tensor) -> tf.Tensor:
        double, more = inner(x)
        return tf.matmul(double, inner(more)[1], transpose_b=True)

    source = export(tmp_path, outer)
    path, _ = slim(source, "")
    assert request_ops(source).keys() & CALLS and not request_ops(path).keys() & CALLS
    assert_same_answers(path, source, {"x": X})


def test_every_output_of_a_call_can_be_fetched(tmp_path: Path) -> None:
    def network() -> Any:
        x = fed()
        several = tf.function(lambda a: (a + 1.0, tf.shape(a), a * 3.0))(x)
        return {"x": x}, dict(zip("abc", several))
    source = servable(tmp_path, network)
    path, _ = slim(source, "")
    assert not request_ops(path).keys() & CALLS
    assert_same_answers(path, source, {"x": X})


def test_what_a_function_refuses_is_refused_though_no_output_needs_the_check(tmp_path: Path) -> None:
    def checked(x: tf.Tensor) -> tf.Tensor:
        v1.debugging.assert_less(x, 10.0)
        return x * 2.0

    source = export(tmp_path, checked)
    path, _ = slim(source, "remove_nodes(op=Identity) fold_constants strip_unused_nodes")
    assert not request_ops(path).keys() & CALLS
    assert answers(path, {"x": X + 100}) == answers(source, {"x": X + 100}) == "InvalidArgumentError"
    assert_same_answers(path, source, {"x": X})


def test_what_a_function_changes_is_changed_once_for_each_request(tmp_path: Path) -> None:
    def network() -> Any:
        x = fed()
        count = variable("count", np.float32(0), use_resource=True)

        @tf.function
        def counting(a: tf.Tensor) -> tf.Tensor:
            count.assign_add(1.0)
            return a + count

        return {"x": x}, {"y": counting(x)}
    path, _ = slim(servable(tmp_path, network), "")
    assert not request_ops(path).keys() & CALLS
    first, second, third = answers(path, {"x": X}, {"x": X}, {"x": X})
    np.testing.assert_array_equal([first["y"] - X, second["y"] - X, third["y"] - X],
                                  [np.full_like(X, n) for n in (1, 2, 3)])


def test_a_table_that_only_a_function_reads_is_quantized(tmp_path: Path) -> None:
    rows = np.random.RandomState(3).randn(300, 16).astype(np.float32)

    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        table = variable("table", rows, use_resource=True)
        return {"ids": ids}, {"rows": tf.function(lambda i: tf.gather(table, i) * 1.0)(ids)}
    path, report = slim(servable(tmp_path, network), "quantize_weights")
    assert report.bytes_after < 0.6 * report.bytes_before
    got = answers(path, {"ids": np.arange(300)})["rows"]
    np.testing.assert_allclose(got, rows, rtol=0, atol=np.abs(rows).max() / 127)


def test_a_call_inside_an_old_loop_runs_in_its_frame(tmp_path: Path) -> None:
    def network() -> Any:
        x = fed()
        grow = tf.function(lambda a: a * tf.constant(2.0) + tf.constant(1.0))
        with old_control_flow():
            _, y = v1.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, grow(a)), (0, x))
        return {"x": x}, {"y": y}
    source = servable(tmp_path, network)
    assert "Enter" in request_ops(source)
    path, _ = slim(source, "")
    assert not request_ops(path).keys() & CALLS
    assert_same_answers(path, source, {"x": X})


def library(calls: dict[str, list[str]]) -> Graph:
    """A graph of one call of `f0`, in a library of functions that do nothing but call others."""
    functions = []
    for name, callees in calls.items():
        function = function_pb2.FunctionDef()
        function.signature.name = name
        for number, callee in enumerate(callees):
            node = function.node_def.add(name=f"c{number}", op="StatefulPartitionedCall")
            node.attr["f"].func.name = callee
        functions.append(function)
    call = node_def_pb2.NodeDef(name="call", op="StatefulPartitionedCall")
    call.attr["f"].func.name = "f0"
    return Graph({"call": call}, Interface({}, init_ops=("call",)),
                 library=function_pb2.FunctionDefLibrary(function=functions))


def test_a_function_that_calls_itself_stays_a_call() -> None:
    graph = library({"f0": ["f1"], "f1": ["f0"]})
    inline_calls(graph)
    assert graph.nodes["call"].op == "StatefulPartitionedCall"


def doubling(times: int) -> dict[str, list[str]]:
    """Functions that call the next one twice."""
    return {**{f"f{n}": [f"f{n + 1}"] * 2 for n in range(times)}, f"f{times}": []}


def test_functions_that_multiply_into_millions_of_nodes_stay_calls() -> None:
    graph = library(doubling(40))
    inline_calls(graph)
    assert list(graph.nodes) == ["call"]


def test_calls_that_together_stand_for_too_many_nodes_are_refused() -> None:
    graph = library(doubling(16))  # 131,070 nodes
    again = node_def_pb2.NodeDef.FromString(graph.nodes["call"].SerializeToString())
    again.name = "again"
    graph.nodes["again"] = again
    with pytest.raises(SourceError, match="262,140 nodes, and at most 200,000"):
        inline_calls(graph)


def test_a_chain_of_functions_is_inlined_and_nothing_of_it_stays_in_the_library() -> None:
    graph = library({**{f"f{n}": [f"f{n + 1}"] for n in range(90)}, "f90": []})
    inline_calls(graph)
    assert {node.op for node in graph.nodes.values()} == {"NoOp"}
    graph.prune()
    assert not graph.library.function


def test_functions_that_nest_in_thousands_stay_calls() -> None:
    graph = library({**{f"f{n}": [f"f{n + 1}"] for n in range(30000)}, "f30000": []})
    inline_calls(graph)
    assert list(graph.nodes) == ["call"]


@pytest.mark.parametrize("transforms", ["", "remove_nodes(op=Identity) fold_constants"])
def test_reads_of_variables_do_not_hold_their_consumers_up(tmp_path: Path, transforms: str) -> None:
    """Keras makes each output wait for each read; once these are weights, nothing waits."""
    def network() -> Any:
        x = fed()
        kernel = variable("kernel", X.T @ X, use_resource=True)

        @tf.function
        def layer(a: tf.Tensor) -> tf.Tensor:
            return tf.matmul(a, kernel)
        return {"x": x}, {"y": layer(x)}
    source = servable(tmp_path, network)
    path, _ = slim(source, transforms)
    assert not [i for node in request_nodes(path) for i in node.input if i.startswith("^")]
    assert_same_answers(path, source, {"x": X})
