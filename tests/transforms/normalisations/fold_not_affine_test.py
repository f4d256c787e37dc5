"""What is no scale and shift by channel is not folded: the graph stays, and the report says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.by_hand import v1, variable
from tests.transforms.normalisations.folding import (
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
    return tf.matmul(x, normal(5, 6))


def convolution(x: Any, dtype: Any = tf.float32) -> Any:
    return tf.nn.conv2d(x, tf.cast(normal(3, 3, 3, 6), dtype), 1, "SAME")


@pytest.mark.parametrize("op", [raw.FusedBatchNorm, raw.FusedBatchNormV2, raw.FusedBatchNormV3],
                         ids=["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"])
def test_a_normalisation_by_the_batch_at_hand(tmp_path: Path, op: Callable) -> None:
    """Estimators leave `is_training` out of the export, for true is its default."""
    def network() -> Any:
        x = placeholder(None, 8, 8, 3)
        return {"x": x}, {"y": op(x=convolution(x), scale=positive(6), offset=normal(6),
                                  mean=normal(6), variance=positive(6), is_training=True,
                                  exponential_avg_factor=0.5)[0]}

    def leave_out(node: Any) -> None:
        if node.op.startswith("FusedBatchNorm"):
            del node.attr["is_training"]

    assert_left_alone(tmp_path, network, "by the mean and variance of each batch", IMAGE,
                      edit=leave_out)


@pytest.mark.parametrize("dtype", [tf.float64, tf.float16, tf.bfloat16])
def test_another_type_than_float32(tmp_path: Path, dtype: tf.DType) -> None:
    def network() -> Any:
        x = placeholder(None, 8, 8, 3)
        y = convolution(tf.cast(x, dtype), dtype) * tf.cast(positive(6), dtype)
        return {"x": x}, {"y": tf.cast(y, tf.float32)}
    assert_left_alone(tmp_path, network, f"holds {dtype.name}", IMAGE)


@pytest.mark.parametrize("norm", [
    lambda y: y * variable("bad", np.float32([1, 2, np.nan, 4, 5, 6])),
    lambda y: y + variable("good", np.ones(6, np.float32)) - np.inf,
    lambda y: y / variable("zeros", np.float32([1, 2, 3, 0, 5, 6])),
    lambda y: y * np.float32(3e38) * np.float32(3e38),
    lambda y: y * np.float32(3e38)], ids=["NaN", "infinity", "division by zero", "scale too large",
                                          "kernel too large"])
def test_constants_or_a_product_that_float32_does_not_hold(tmp_path: Path, norm: Callable) -> None:
    def network() -> Any:
        x = placeholder(None, 5)
        return {"x": x}, {"y": tf.nn.relu(norm(dense(x)))}
    assert_left_alone(tmp_path, network, "float32 does not hold", X)


@pytest.mark.parametrize("norm", [
    lambda y: y * np.arange(8, dtype=np.float32).reshape(8, 1),
    lambda y: y * np.ones((2, 1, 1, 1, 6), np.float32),
    lambda y: y * np.arange(2, dtype=np.float32).reshape(2, 1, 1, 1),
    lambda y: 3.0 / y,
    lambda y: tf.batch_to_space(y, [1, 1, 2], [[0, 0], [0, 0], [0, 6]]) * np.float32(range(6)),
], ids=["by row", "of a higher rank", "by example", "divided by it", "of mixed channels"])
def test_what_is_no_scale_by_channel(tmp_path: Path, norm: Callable) -> None:
    def network() -> Any:
        x = placeholder(None, 8, 8, 3)
        return {"x": x}, {"y": tf.nn.relu(norm(convolution(x)))}
    assert_left_alone(tmp_path, network, "", IMAGE)


def test_what_a_request_scales(tmp_path: Path) -> None:
    def network() -> Any:
        x, scale = placeholder(None, 5), v1.placeholder(tf.float32, [6], "scale")
        return {"x": x, "scale": scale}, {"y": dense(x) * scale}
    assert_left_alone(tmp_path, network, "", {**X, "scale": np.ones(6, np.float32)})


def test_a_single_addition(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 5)
        return {"x": x}, {"y": tf.nn.relu(dense(x) + normal(6)), "z": tf.nn.relu(dense(x) - 2.0)}
    assert_left_alone(tmp_path, network, "", X)
