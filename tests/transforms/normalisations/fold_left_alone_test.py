"""What somebody else looks at is not folded: the graph stays, and the report says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alike import assert_same_answers
from tests.support.by_hand import request_ops, servable, slim, v1
from tests.support.old_control_flow import old_control_flow
from tests.transforms.normalisations.folding import (
    FOLD,
    PREPARE,
    assert_left_alone,
    normal,
    placeholder,
    positive,
    request,
)

raw = tf.raw_ops
X = request(4, 5)
IMAGE = request(2, 8, 8, 3)


def dense(x: Any) -> Any:
    return tf.matmul(x, normal(5, 6), name="layer")


def convolution(x: Any) -> Any:
    return tf.nn.conv2d(x, normal(3, 3, 3, 6), 1, "SAME", name="layer")


def test_a_layer_that_a_signature_fetches(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 5)
        y = dense(x)
        return {"x": x}, {"y": y, "norm": y * positive(6) + normal(6)}
    assert_left_alone(tmp_path, network, "a signature fetches 'layer'", X)


def test_a_sum_that_a_signature_feeds(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 5)
        middle = tf.nn.bias_add(dense(x), normal(6), name="middle")
        y = middle * positive(6)
        return {"serving_default": ({"x": x}, {"y": y}), "late": ({"middle": middle}, {"y": y})}
    assert_left_alone(tmp_path, network, "a signature feeds 'middle'",
                      {**X, "middle": np.ones((2, 6), np.float32)})


def test_a_layer_that_two_nodes_read(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 5)
        y = dense(x)
        return {"x": x}, {"y": y * positive(6) + tf.nn.relu(y)}
    assert_left_alone(tmp_path, network, "2 nodes read 'layer'", X)


def test_a_layer_that_a_node_waits_for(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 5)
        y = dense(x)
        with tf.control_dependencies([y]):
            z = tf.nn.relu(x)
        return {"x": x}, {"y": tf.nn.relu(y * positive(6)), "z": z}
    assert_left_alone(tmp_path, network, "a control dependency goes through 'layer'", X)


@pytest.mark.parametrize("scale", [positive, lambda n: tf.constant(np.arange(n), tf.float32)],
                         ids=["its scale", "itself"])
def test_a_normalisation_that_waits(tmp_path: Path, scale: Callable) -> None:
    def network() -> Any:
        x = placeholder(None, 5)
        y, by = dense(x), scale(6)
        with tf.control_dependencies([raw.Assert(condition=tf.reduce_all(x < 9.0), data=[x])]):
            y = raw.Mul(x=y, y=by)
        return {"x": x}, {"y": tf.nn.relu(y)}
    assert_left_alone(tmp_path, network, "", X, {"x": X["x"] + 20})


def test_a_normalisation_before_a_layer_that_waits(tmp_path: Path) -> None:
    def network() -> Any:
        x, by = placeholder(None, 5), tf.constant(2.5)
        active = tf.nn.relu(x)
        check = raw.Assert(condition=tf.reduce_all(x < 9.0), data=[x])
        with tf.control_dependencies([tf.group(check, check)]):
            y, z = raw.Mul(x=active, y=by), tf.nn.relu(active)
        return {"x": x}, {"y": dense(y), "z": dense(z)}
    assert_left_alone(tmp_path, network, "", X, {"x": X["x"] + 20})


def test_a_kernel_that_two_layers_read(tmp_path: Path) -> None:
    def network() -> Any:
        x, kernel = placeholder(None, 5), normal(5, 6)
        return {"x": x}, {"y": tf.matmul(x, kernel, name="layer") * positive(6),
                          "z": tf.nn.relu(tf.matmul(-x, kernel))}
    assert_left_alone(tmp_path, network, "something else reads the kernel of 'layer'", X)


def test_a_large_kernel_that_two_layers_read(tmp_path: Path) -> None:
    def network() -> Any:
        x, kernel = placeholder(None, 300), normal(300, 300)
        return {"x": x}, {"y": tf.matmul(x, kernel, name="layer") * positive(300),
                          "z": tf.nn.relu(tf.matmul(-x, kernel))}
    assert_left_alone(tmp_path, network, "something else reads the kernel of 'layer'",
                      request(2, 300))


def test_a_kernel_in_codes(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 300)
        return {"x": x}, {"y": tf.matmul(x, normal(300, 300), name="layer") * positive(300)}
    source = servable(tmp_path, network)
    path, report = slim(source, f"{PREPARE} quantize_weights fold_batch_norms")
    assert request_ops(path)["Mul"] == 1
    assert "the kernel of 'layer' is stored as codes" in report.steps[-1].skipped[0][1]


def test_a_kernel_that_a_request_changes(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 5)
        kernel = normal(5, 6)
        y = tf.matmul(x, kernel) * positive(6)
        with tf.control_dependencies([y]):
            changed = kernel.assign_add(tf.ones([5, 6]))
        with tf.control_dependencies([changed]):
            return {"x": x}, {"y": tf.identity(y)}
    assert_left_alone(tmp_path, network, "", X, X)


def test_a_normalisation_whose_mean_is_fetched(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 8, 8, 3)
        y = raw.FusedBatchNorm(x=convolution(x), scale=positive(6), offset=normal(6),
                               mean=normal(6), variance=positive(6), is_training=False, name="norm")
        return {"x": x}, {"y": y.y, "mean": y.batch_mean}
    assert_left_alone(tmp_path, network, "more than one output of 'norm' is in use", IMAGE)


@old_control_flow()
def test_a_layer_in_a_loop_or_a_branch(tmp_path: Path) -> None:
    def network() -> Any:
        x, kernel = placeholder(None, 5), np.eye(5, dtype=np.float32)
        y = v1.while_loop(lambda i, y: i < 3, lambda i, y: (
            i + 1, tf.nn.relu(tf.matmul(y, kernel) * np.float32([1, 2, 3, 4, 5]))), [0, x])[1]
        z = v1.cond(tf.reduce_all(x < 9.0), lambda: tf.matmul(x, kernel) * 2.0, lambda: x)
        return {"x": x}, {"y": y, "z": z}
    source = servable(tmp_path, network)
    path, report = slim(source, FOLD)
    assert request_ops(path)["Mul"] == 2
    assert report.steps[-1].skipped == []
    assert_same_answers(path, source, X, {"x": X["x"] + 20})
