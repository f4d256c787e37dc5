"""Normalisations behind a layer: each spelling goes into each kind of layer, and answers stay."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alike import assert_near_answers
from tests.support.by_hand import request_ops, servable, slim, stored, v1, variable
from tests.transforms.normalisations.folding import (
    FOLD,
    NORMAL,
    PREPARE,
    each_with_and_without_bias,
    edit_nodes,
    normal,
    placeholder,
    positive,
    request,
)

raw = tf.raw_ops
LAYERS: dict[str, tuple[tuple, Callable]] = {
    "MatMul": ((7, 5), lambda x: tf.matmul(x, normal(5, 6))),
    "MatMul of a transposed kernel": (
        (7, 5), lambda x: tf.matmul(x, normal(6, 5), transpose_b=True)),
    "MatMul of rank 3": ((2, 3, 5), lambda x: tf.tensordot(x, normal(5, 6), 1)),
    "Conv2D": ((2, 8, 8, 3), lambda x: tf.nn.conv2d(x, normal(3, 3, 3, 6), 1, "SAME")),
    "Conv2D with steps": (
        (2, 9, 9, 3), lambda x: tf.nn.conv2d(x, normal(3, 2, 3, 6), 2, "VALID", dilations=1)),
    "Conv2D in groups": ((2, 8, 8, 4), lambda x: tf.nn.conv2d(x, normal(3, 3, 2, 6), 1, "SAME")),
    "DepthwiseConv2dNative": (
        (2, 8, 8, 3), lambda x: tf.nn.depthwise_conv2d(x, normal(3, 3, 3, 2), [1] * 4, "SAME")),
    "between SpaceToBatchND and BatchToSpaceND": (
        (2, 9, 9, 3), lambda x: tf.nn.with_space_to_batch(
            x, [2, 2], "VALID", lambda y, *_: tf.nn.depthwise_conv2d(
                y, normal(3, 3, 3, 2), [1] * 4, "VALID"), filter_shape=[3, 3])),
    "Conv2D of rank 3": ((2, 9, 3), lambda x: tf.nn.conv1d(x, normal(3, 3, 6), 1, "SAME")),
    "Conv3D": ((2, 5, 5, 5, 3), lambda x: tf.nn.conv3d(x, normal(2, 2, 2, 3, 6), [1] * 5, "SAME")),
}


def fused(op: Callable, **options: Any) -> Callable:
    def normalised(x: Any) -> Any:
        return op(x=x, scale=positive(6), offset=normal(6), mean=normal(6), variance=positive(6),
                  is_training=False, **options)[0]
    return normalised


SPELLINGS: dict[str, Callable] = {
    "scale": lambda x: x * positive(6),
    "scale from the left": lambda x: positive(1, 6) * x,
    "one scale for all": lambda x: x * 0.7,
    "scale and shift": lambda x: x * positive(6) + normal(6),
    "batch_normalization": lambda x: tf.nn.batch_normalization(
        x, normal(6), positive(6), normal(6), positive(6), 1e-3),
    "as in the book": lambda x: (
        (x - normal(6)) / tf.sqrt(positive(6) + 1e-3) * positive(1, 6) + normal(1, 6)),
    "from a constant": lambda x: normal(6) - x * positive(6),
    "of a sum": lambda x: (normal(6) + x) * positive(6) + normal(6),
    "two in a row": lambda x: (x * positive(6) + normal(6)) * positive(6) + normal(6),
}
FUSED: dict[str, Callable] = {
    "FusedBatchNorm": fused(raw.FusedBatchNorm, epsilon=1e-3),
    "FusedBatchNormV2": fused(raw.FusedBatchNormV2, epsilon=0.1),
    "FusedBatchNormV3": fused(raw.FusedBatchNormV3, exponential_avg_factor=0.5),
}


def biased(x: Any) -> Any:
    return tf.nn.bias_add(x, normal(6))


@pytest.mark.parametrize("layer, bias", each_with_and_without_bias(LAYERS, biased))
def test_every_spelling_goes_into_the_layer_before_it(
        tmp_path: Path, layer: tuple, bias: Callable) -> None:
    shape, product = layer
    spellings = {**SPELLINGS, **(FUSED if len(shape) == 4 else {})}
    if len(shape) == 5:
        spellings["FusedBatchNormV3"] = fused(raw.FusedBatchNormV3, data_format="NDHWC")

    def network() -> Any:
        x = placeholder(*(None if n == 0 else d for n, d in enumerate(shape)))
        return {"x": x}, {name: tf.nn.relu(spelling(bias(product(x))))
                          for name, spelling in spellings.items()}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    before, after = request_ops(source), request_ops(path)
    assert sum(before[op] for op in NORMAL) > len(spellings)
    assert not any(after[op] for op in NORMAL)
    assert after["BiasAdd"] == len(spellings) - (0 if bias is biased else 3)
    assert_near_answers(path, source, request(*shape), share=2e-6)


def test_what_a_signature_fetches_may_be_the_normalisation(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 5)
        scaled = tf.matmul(x, normal(5, 6)) * positive(6)
        shifted = tf.nn.bias_add(tf.matmul(x, normal(5, 6)), normal(6)) * positive(6)
        return {"serving_default": ({"x": x}, {"scaled": scaled, "shifted": shifted}),
                "rest": ({"scaled": scaled}, {"y": tf.nn.relu(scaled)})}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    assert not any(request_ops(path)[op] for op in NORMAL)
    assert_near_answers(path, source, {**request(4, 5), "scaled": np.eye(6)}, share=1e-6)


@pytest.mark.parametrize("scaled", [True, False], ids=["scaled", "not scaled"])
def test_the_normalisation_of_the_first_tensorflow_is_folded_too(
        tmp_path: Path, scaled: bool) -> None:
    def network() -> Any:
        x = placeholder(None, 8, 8, 3)
        return {"x": x}, {"y": FUSED["FusedBatchNorm"](LAYERS["Conv2D"][1](x))}

    source = servable(tmp_path, network)
    edit_nodes(source, functools.partial(make_old, scaled=scaled), producer=8)
    requests = request(2, 8, 8, 3)
    for transform in ("fold_batch_norms", "fold_old_batch_norms"):
        path, _ = slim(source, f"{PREPARE} {transform}")
        assert request_ops(path) == {"Placeholder": 1, "Const": 2, "Conv2D": 1, "BiasAdd": 1}
        assert_near_answers(path, source, requests, share=2e-6)


def make_old(node: Any, scaled: bool) -> None:
    """Makes a fused normalisation the one of the first TensorFlow, which runs but is built no more."""
    if node.op != "FusedBatchNorm":
        return
    x, gamma, beta, mean, variance = node.input
    name = node.name
    node.Clear()
    node.name, node.op = name, "BatchNormWithGlobalNormalization"
    node.input[:] = [x, mean, variance, beta, gamma]
    node.attr["T"].type = tf.float32.as_datatype_enum
    node.attr["variance_epsilon"].f = 0.25
    node.attr["scale_after_normalization"].b = scaled


def test_fold_old_batch_norms_folds_operations_that_normalise_and_leaves_others(
        tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 8, 8, 3)
        convolution = LAYERS["Conv2D"][1]
        return {"x": x}, {"scaled": tf.nn.relu(convolution(x) * positive(6)), **{
            name: tf.nn.relu(spelling(convolution(x))) for name, spelling in FUSED.items()}}

    source = servable(tmp_path, network)
    path, _ = slim(source, f"{PREPARE} fold_old_batch_norms")
    ops = request_ops(path)
    assert [ops[op] for op in ("Conv2D", "BiasAdd", "Mul", *FUSED)] == [4, 3, 1, 0, 0, 0]
    assert_near_answers(path, source, request(2, 8, 8, 3), share=2e-6)


def test_nchw_normalises_along_the_second_axis(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 3, 8, 8)
        y = [tf.nn.conv2d(x, normal(3, 3, 3, 6), 1, "VALID", data_format="NCHW") for _ in range(5)]
        biased = tf.nn.bias_add(y[1], normal(6), "NCHW")
        return {"x": x}, {
            "fused": tf.nn.relu(fused(raw.FusedBatchNormV3, data_format="NCHW")(y[0])),
            "unfused": tf.nn.relu(biased * positive(6, 1, 1) + normal(1, 6, 1, 1)),
            "by column": tf.nn.relu(y[2] * positive(6)),
            "fused by column": tf.nn.relu(FUSED["FusedBatchNormV3"](y[3])),
            "flat by column": tf.nn.relu(tf.reshape(y[4], [-1, 6]) * positive(6))}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    ops = request_ops(path)
    assert [ops[op] for op in ("BiasAdd", "Mul", "AddV2", "FusedBatchNormV3")] == [2, 2, 0, 1]
    assert_near_answers(path, source, request(2, 3, 8, 8), optimizer=True, share=2e-6)


def test_a_large_kernel_stays_a_variable_and_each_value_is_rounded_once(tmp_path: Path) -> None:
    kernel = np.random.default_rng(1).normal(size=(300, 301)).astype(np.float32)
    scale = np.random.default_rng(2).normal(size=301).astype(np.float32)
    across = np.random.default_rng(3).normal(size=300).astype(np.float32)

    def network() -> Any:
        x, y = placeholder(None, 300), v1.placeholder(tf.float32, [None, 301], "y")
        right = tf.matmul(x, variable("right", kernel)) * variable("scale", scale) / 3.0
        left = tf.matmul(y, variable("left", kernel), transpose_b=True) * variable("across", across)
        return {"x": x, "y": y}, {"right": tf.nn.relu(right), "left": tf.nn.relu(left)}

    path, _ = slim(servable(tmp_path, network), FOLD)
    right = kernel * (scale.astype(np.float64) * (1 / 3))
    left = kernel * across.astype(np.float64)[:, np.newaxis]
    values = stored(path)
    np.testing.assert_array_equal(values["MatMul/kernel"], right.astype(np.float32))
    np.testing.assert_array_equal(values["MatMul_1/kernel"], left.astype(np.float32))
