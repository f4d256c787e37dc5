"""An operation that TensorFlow knows and cannot run is named as that, and no transform is blamed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import SourceError, optimize_saved_model
from estimator_slim.graph import operations
from tests.hostile.damage import edit, node_of
from tests.support.by_hand import servable, variable
from tests.support.training import contents

v1 = tf.compat.v1


def for_many_gpus(x: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.NcclAllReduce(input=x, reduction="sum", num_devices=1, shared_name="all")


def without_any_kernel(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.raw_ops.BoostedTreesBucketize(
        float_values=[x], bucket_boundaries=[tf.constant([0.0, 1.0])])[0], tf.float32)


def in_a_branch(x: tf.Tensor) -> tf.Tensor:
    return tf.cond(tf.size(x) > -1, lambda: without_any_kernel(x), lambda: x)


def in_a_dataset(x: tf.Tensor) -> tf.Tensor:
    rows = tf.data.Dataset.from_tensors(x).map(without_any_kernel)
    return rows.get_single_element()


def by_v1(path: str, network: Callable) -> str:
    """A graph with such a node cannot even be saved by a session: it is put there afterwards."""
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        with tf.Graph().as_default():
            wanted = network(v1.placeholder(tf.float32, [None], "x")).op.node_def
        wanted_nodes.append(wanted)
        return {"x": x}, {"y": tf.negative(x, name=wanted.name) * variable("two", np.float32(2.0))}
    wanted_nodes: list[Any] = []
    source = servable(Path(path), build)
    edit(Path(source), lambda meta_graph: node_of(meta_graph, "Neg").CopyFrom(wanted_nodes[0]))
    return source


def by_v2(path: str, network: Callable) -> str:
    module = tf.Module()
    module.scale = tf.Variable(2.0)
    module.served = tf.function(lambda x: {"y": network(x) * module.scale},
                                input_signature=[tf.TensorSpec([None], tf.float32)])
    tf.saved_model.save(module, path, signatures=module.served)
    return path


@pytest.mark.parametrize("export, network, op", [
    (by_v1, for_many_gpus, "NcclAllReduce"), (by_v2, for_many_gpus, "NcclAllReduce"),
    (by_v2, in_a_branch, "BoostedTreesBucketize"), (by_v2, in_a_dataset, "BoostedTreesBucketize")])
def test_an_operation_without_a_kernel_is_named(tmp_path: Path, export: Callable, network: Callable,
                                                op: str) -> None:
    source = export(str(tmp_path / "1"), network)
    before = contents(tmp_path)
    with pytest.raises(SourceError, match=f"knows the operation {op}, but has no kernel") as raised:
        optimize_saved_model(source, tmp_path / "slim", verify="enforce", fallback=True)
    assert "transform" not in str(raised.value)
    assert contents(tmp_path) == before
    assert optimize_saved_model(source, tmp_path / "slim", verify="off") is not None


def test_what_can_be_asked_beside_it_is_slimmed(tmp_path: Path) -> None:
    module = tf.Module()
    module.table = tf.Variable(np.random.default_rng(1).normal(size=(9000, 8)).astype(np.float32))
    spec = tf.TensorSpec([None], tf.float32)
    right = tf.function(lambda x: {"y": tf.gather(module.table, tf.cast(x, tf.int32))}, [spec])
    wrong = tf.function(lambda x: {"y": without_any_kernel(x)}, [spec])
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"right": right, "wrong": wrong})
    report = optimize_saved_model(tmp_path / "1", tmp_path / "slim", verify="enforce", fallback=False)
    assert report is not None and report.verification is not None and report.verification.passed
    assert report.bytes_after < report.bytes_before / 2


def test_operations_that_run_have_kernels() -> None:
    assert all(operations.has_kernel(op) for op in ("MatMul", "If", "While", "PartitionedCall", "Const"))
    assert not operations.has_kernel("BoostedTreesBucketize")
