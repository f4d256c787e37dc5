"""Backports, add_default_attributes, set_device, fold_constants' options: what they leave loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from estimator_slim.errors import OptionError
from estimator_slim.transforms import TRANSFORMS
from tests.support.alike import assert_same_answers
from tests.support.by_hand import (
    bytes_of,
    meta_graph,
    reasons,
    request_nodes,
    request_ops,
    servable,
    slim,
    v1,
)
from tests.support.old_control_flow import old_control_flow

X = np.random.default_rng(4).normal(size=(4, 3)).astype(np.float32)


def placeholder() -> Any:
    return v1.placeholder(tf.float32, [None, 3], "x")


def written_by_version(source: str, producer: int) -> str:
    """The servable at `source`, made to say that its graph is of an older version."""
    path = Path(source, "saved_model.pb")
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    saved.meta_graphs[0].graph_def.versions.producer = producer
    path.write_bytes(saved.SerializeToString())
    return source


def test_concatenations_take_their_axis_first_and_answer_the_same(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder()
        axis = v1.placeholder_with_default(np.int32(1), [], "axis")
        return {"x": x, "axis": axis}, {"rows": tf.concat([x, x + 1.0, -x], 0),
                                        "any": tf.concat([x, x], axis) * 2.0}

    source = servable(tmp_path, network)
    path, _ = slim(source, "backport_concatv2")
    assert request_ops(path)["ConcatV2"] == 0
    assert request_ops(path)["Concat"] == 2
    assert_same_answers(path, source, {"x": X}, {"x": X, "axis": 0}, {"x": X[:0]})


def test_concatenations_in_a_loop_are_backported_too(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder()
        return {"x": x}, {"y": tf.while_loop(lambda i, _: i < 2, lambda i, v: (i + 1, tf.concat(
            [v[:, 1:], v[:, :1]], 1)), [0, x])[1]}

    source = servable(tmp_path, network)
    path, _ = slim(source, "backport_concatv2")
    ops = [n.op for f in meta_graph(path).graph_def.library.function for n in f.node_def]
    assert "Concat" in ops
    assert "ConcatV2" not in ops
    assert_same_answers(path, source, {"x": X})


def _after_assert(x: Any) -> Any:
    zero = tf.constant(0)
    with tf.control_dependencies([tf.raw_ops.Assert(condition=tf.reduce_all(x < 50.0), data=["big"])]):
        return tf.raw_ops.ConcatV2(values=[x, x], axis=zero)


@pytest.mark.parametrize("build, reason", [
    (_after_assert, "waits for a control dependency"),
    (lambda x: tf.raw_ops.ConcatV2(values=[x, x], axis=tf.constant(0, tf.int64)), "an int64"),
], ids=["control dependency", "int64 axis"])
def test_a_concatenation_that_the_older_one_cannot_do_stays_and_the_report_says_why(
        tmp_path: Path, build: Callable, reason: str) -> None:
    def network() -> Any:
        x = placeholder()
        return {"x": x}, {"y": build(x), "z": tf.concat([x, x], 1)}

    source = servable(tmp_path, network)
    path, report = slim(source, "backport_concatv2")
    assert request_ops(path)["Concat"] == request_ops(path)["ConcatV2"] == 1
    assert reason in reasons(report)
    assert_same_answers(path, source, {"x": X}, {"x": X * 1000})


def _scattered(x: Any) -> Any:
    array = tf.raw_ops.TensorArrayV3(size=tf.shape(x)[0], dtype=tf.float32)
    rows = {"handle": array.handle, "indices": tf.range(tf.shape(x)[0])}
    flow = tf.raw_ops.TensorArrayScatterV3(**rows, value=x, flow_in=array.flow)
    return tf.raw_ops.TensorArrayGatherV3(**rows, flow_in=flow, dtype=tf.float32)


def _in_a_loop(x: Any) -> Any:
    array = tf.TensorArray(tf.float32, 3)
    array = v1.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a.write(i, x[:, i] * 2.0)),
                          [0, array])[1]
    return array.stack()


def _made_in_a_loop(x: Any) -> Any:
    def turn(i: Any, v: Any) -> Any:
        array = tf.raw_ops.TensorArrayV3(size=1, dtype=tf.float32)
        flow = tf.raw_ops.TensorArrayWriteV3(handle=array.handle, index=0, value=v, flow_in=array.flow)
        read = tf.raw_ops.TensorArrayReadV3(handle=array.handle, index=0, flow_in=flow, dtype=tf.float32)
        return i + 1, tf.ensure_shape(read, [None, 3]) * 2.0
    return v1.while_loop(lambda i, _: i < 3, turn, [0, x])[1]


def _in_a_branch(x: Any) -> Any:
    return v1.cond(tf.reduce_sum(x) > 0, lambda: _scattered(x), lambda: x * 3.0)


ARRAYS = pytest.mark.parametrize("build", [_scattered, _in_a_loop, _made_in_a_loop, _in_a_branch])


def arrays(folder: Path, build: Callable) -> str:
    def network() -> Any:
        x = placeholder()
        return {"x": x}, {"y": build(x)}

    with old_control_flow():
        return servable(folder, network)


@ARRAYS
def test_tensor_arrays_of_old_graphs_are_backported_and_answer_the_same(
        tmp_path: Path, build: Callable) -> None:
    source = written_by_version(arrays(tmp_path, build), 25)
    path, _ = slim(source, "backport_tensor_array_v3")
    assert any(op.startswith("TensorArray") for op in request_ops(path))
    assert not any(op.startswith("TensorArray") and op.endswith("V3") for op in request_ops(path))
    assert_same_answers(path, source, {"x": X}, {"x": -X})


@ARRAYS
def test_tensor_arrays_of_later_graphs_stay_and_the_report_says_why(
        tmp_path: Path, build: Callable) -> None:
    source = arrays(tmp_path, build)
    path, report = slim(source, "backport_tensor_array_v3")
    assert request_ops(path)["TensorArrayV2"] == 0
    assert "TensorFlow takes TensorArrayV2 in graphs of a version below 26" in reasons(report)
    assert_same_answers(path, source, {"x": X}, {"x": -X})


def looped() -> Any:
    x = placeholder()
    y = tf.while_loop(lambda i, _: i < 2, lambda i, v: (i + 1, tf.matmul(v, tf.ones([3, 3]))), [0, x])[1]
    return {"x": x}, {"y": tf.matmul(y, tf.ones([3, 2]))}


def all_nodes(directory: str) -> list[Any]:
    graph = meta_graph(directory).graph_def
    return [*graph.node, *(n for f in graph.library.function for n in f.node_def)]


def test_default_attributes_are_spelt_out_in_loops_too(tmp_path: Path) -> None:
    source = servable(tmp_path, looped)
    path = Path(source, "saved_model.pb")
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    graph = saved.meta_graphs[0].graph_def
    for node in [*graph.node, *(n for f in graph.library.function for n in f.node_def)]:
        if node.op == "MatMul":
            node.attr.pop("transpose_a")
    path.write_bytes(saved.SerializeToString())
    spelt, _ = slim(source, "add_default_attributes")
    products = [n for n in all_nodes(spelt) if n.op == "MatMul"]
    assert len(products) == 2
    assert all("transpose_a" in n.attr for n in products)
    assert_same_answers(spelt, source, {"x": X})


CPU = "/device:CPU:0"


def on_devices() -> Any:
    x = placeholder()
    with tf.device("/job:localhost/replica:0/task:0/device:CPU:0"):
        y = x * 2.0
    return {"x": x}, {"y": y + looped_from(x)}


def looped_from(x: Any) -> Any:
    return tf.while_loop(lambda i, _: i < 2, lambda i, v: (i + 1, v * 3.0), [0, x])[1]


def test_every_node_is_put_on_the_device(tmp_path: Path) -> None:
    source = servable(tmp_path, on_devices)
    path, _ = slim(source, f'set_device(device="{CPU}")')
    assert {n.device for n in all_nodes(path)} == {CPU}
    assert_same_answers(path, source, {"x": X})


@pytest.mark.parametrize("device", ["/cpu:0", "/gpu:0", "/device:GPU:*", "/job:ps/replica:0/task:7", "",
                                    "/job:localhost/replica:0/task:0/device:CPU:0"])
def test_devices_that_servers_know_are_written_as_they_are_given(tmp_path: Path, device: str) -> None:
    path, _ = slim(servable(tmp_path, on_devices), f'set_device(device="{device}")', verify="off")
    assert {n.device for n in all_nodes(path)} == {device}


@pytest.mark.parametrize("device", ["nonsense", "/device:CPU", "/xpu:0", "/task:a", "/cpu:0/gpu:0",
                                    "cpu:0", "/cpu", "//cpu:0", "/tpu:0"])
def test_what_is_no_device_is_an_error_at_construction(device: str) -> None:
    with pytest.raises(OptionError, match=f'such as "/device:CPU:0" or .*, got {device!r}'):
        TRANSFORMS["set_device"](device=device)


def test_nodes_that_have_a_device_keep_it_where_that_is_asked(tmp_path: Path) -> None:
    source = servable(tmp_path, on_devices)
    path, _ = slim(source, f'set_device(device="{CPU}", if_default=true)')
    had = {n.name: n.device for n in request_nodes(source) if n.device}
    assert had
    assert {n.device for n in request_nodes(path) if n.name not in had} == {CPU}
    assert {n.name: n.device for n in request_nodes(path) if n.name in had} == had
    assert_same_answers(path, source, {"x": X})


@pytest.mark.parametrize("options, computed", [
    ("", set()), ("(exclude_op=Exp)", {"Exp"}), ("(exclude_node=root)", {"Sqrt"}),
    ("(exclude_op=Exp, exclude_op=Sqrt)", {"Exp", "Sqrt"}),
    ("(max_constant_size_in_bytes=3)", {"Exp", "Sqrt"})])
def test_constants_are_folded_but_for_those_that_are_excluded(
        tmp_path: Path, options: str, computed: set) -> None:
    def network() -> Any:
        x = placeholder()
        return {"x": x}, {"y": x * tf.exp([1.0, 2.0, 3.0]) * tf.sqrt([1.0, 2.0, 3.0], name="root")}

    source = servable(tmp_path, network)
    path, _ = slim(source, "fold_constants" + options)
    assert {"Exp", "Sqrt"} & set(request_ops(path)) == computed
    assert_same_answers(path, source, {"x": X})


@pytest.mark.parametrize("options, is_computed", [
    ("", False), ("(max_constant_size_in_bytes=4000000)", True),
    ("(max_constant_size_in_bytes=3999999)", False)])
def test_what_would_make_the_servable_grow_is_left_to_be_computed(
        tmp_path: Path, options: str, is_computed: bool) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 1000], "x")
        mask = tf.linalg.band_part(tf.ones([1000, 1000]), -1, 0)
        return {"x": x}, {"y": tf.matmul(x, mask), "z": x * tf.sqrt(tf.ones([1000]) * 2.0)}

    source = servable(tmp_path, network)
    path, _ = slim(source, "fold_constants" + options)
    assert ("Fill" not in request_ops(path)) == is_computed
    assert "Sqrt" not in request_ops(path)
    assert (bytes_of(path) > 4_000_000) == is_computed
    assert_same_answers(path, source, {"x": np.ones([2, 1000])})


def test_calls_that_reading_leaves_are_inlined_in_loops(tmp_path: Path) -> None:
    @tf.function
    def double(a: Any) -> Any:
        best = tf.math.top_k(a, 2)
        return best.values[..., :1] + tf.cast(best.indices[..., 1:], tf.float32)

    def network() -> Any:
        x = placeholder()
        return {"x": x}, {"y": tf.while_loop(lambda i, _: i < 2, lambda i, v: (i + 1, v + double(v)),
                                             [0, x])[1]}

    source = servable(tmp_path, network)
    path, _ = slim(source, "inline_partitionedcall")
    calls = [n for n in all_nodes(path) if n.op.endswith("PartitionedCall")]
    assert calls == []
    assert [n for n in all_nodes(source) if n.op.endswith("PartitionedCall")]
    assert_same_answers(path, source, {"x": X})
