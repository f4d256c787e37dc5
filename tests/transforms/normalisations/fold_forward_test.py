"""Normalisations before a layer go into its kernel, and their shift into its bias, if that is exact."""

from __future__ import annotations

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
    assert_left_alone,
    each_with_and_without_bias,
    normal,
    placeholder,
    positive,
    request,
)

raw = tf.raw_ops
LAYERS: dict[str, tuple[tuple, Callable]] = {
    "MatMul": ((7, 5), lambda x: tf.matmul(x, normal(5, 6))),
    "MatMul of rank 3": (
        (2, 3, 5), lambda x: tf.matmul(tf.reshape(x, [-1, 5]), normal(5, 6))),
    "Conv2D": ((2, 9, 9, 5), lambda x: tf.nn.conv2d(x, normal(3, 3, 5, 6), 2, "VALID")),
    "Conv2D of single points": (
        (2, 9, 9, 5), lambda x: tf.nn.conv2d(x, normal(1, 1, 5, 6), 2, "SAME")),
    "DepthwiseConv2dNative": (
        (2, 9, 9, 5), lambda x: tf.nn.depthwise_conv2d(x, normal(3, 3, 5, 2), [1] * 4, "VALID")),
    "Conv2D of rank 3": ((2, 9, 5), lambda x: tf.nn.conv1d(x, normal(3, 5, 6), 1, "VALID")),
    "Conv3D": (
        (2, 5, 5, 5, 5), lambda x: tf.nn.conv3d(x, normal(2, 2, 2, 5, 6), [1] * 5, "VALID")),
}
PADDED: dict[str, tuple[tuple, Callable]] = {
    "Conv2D": ((2, 9, 9, 5), lambda x: tf.nn.conv2d(x, normal(3, 3, 5, 6), 1, "SAME")),
    "Conv2D with its own padding": ((2, 9, 9, 5), lambda x: tf.nn.conv2d(
        x, normal(1, 1, 5, 6), 1, [[0, 0], [1, 1], [1, 1], [0, 0]])),
    "DepthwiseConv2dNative": (
        (2, 9, 9, 5), lambda x: tf.nn.depthwise_conv2d(x, normal(3, 3, 5, 2), [1] * 4, "SAME")),
}
SPELLINGS: dict[str, Callable] = {
    "scale": lambda x: x * positive(5),
    "one scale for all": lambda x: x / 0.7,
    "scale and shift": lambda x: x * positive(5) + normal(5),
    "batch_normalization": lambda x: tf.nn.batch_normalization(
        x, normal(5), positive(5), normal(5), positive(5), 1e-3),
    "two in a row": lambda x: (x * positive(5) - normal(5)) / positive(5) + normal(5),
}


def fused(x: Any, mean: Any = None) -> Any:
    return raw.FusedBatchNormV3(x=x, scale=positive(5), offset=normal(5), variance=positive(5),
                                mean=normal(5) if mean is None else mean, is_training=False)[0]


def batch(shape: tuple) -> Any:
    return placeholder(None, *shape[1:])


def biased(y: Any) -> Any:
    return tf.nn.bias_add(y, normal(int(y.shape[-1])))


@pytest.mark.parametrize("layer, bias", each_with_and_without_bias(LAYERS, biased))
def test_every_spelling_goes_into_the_layer_behind_it(
        tmp_path: Path, layer: tuple, bias: Callable) -> None:
    shape, product = layer
    spellings = {**SPELLINGS, **({"fused": fused} if len(shape) == 4 else {})}

    def network() -> Any:
        x = batch(shape)
        return {"x": x}, {name: bias(product(spelling(tf.nn.relu(x))))
                          for name, spelling in spellings.items()}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    ops = request_ops(path)
    assert not any(ops[op] for op in NORMAL)
    assert ops["BiasAdd"] == len(spellings) - (0 if bias is biased else 2)
    assert_near_answers(path, source, request(*shape), share=2e-6)


@pytest.mark.parametrize("layer", PADDED.values(), ids=list(PADDED))
def test_a_scale_passes_padding(tmp_path: Path, layer: tuple) -> None:
    shape, product = layer

    def network() -> Any:
        x = batch(shape)
        return {"x": x}, {"y": biased(product(tf.nn.relu(x) * positive(5)))}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    assert request_ops(path)["Mul"] == 0
    assert_near_answers(path, source, request(*shape), share=2e-6)


@pytest.mark.parametrize("layer", PADDED.values(), ids=list(PADDED))
def test_a_shift_does_not_pass_padding(tmp_path: Path, layer: tuple) -> None:
    shape, product = layer

    def network() -> Any:
        x = batch(shape)
        return {"x": x}, {"y": product(fused(tf.nn.relu(x)))}

    assert_left_alone(tmp_path, network, "pads its input with zeros", request(*shape))


def test_nchw_normalises_along_the_second_axis(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 5, 9, 9)
        y = tf.nn.relu(x) * positive(5, 1, 1) + normal(5, 1, 1)
        return {"x": x}, {"y": tf.nn.conv2d(y, normal(3, 3, 5, 6), 1, "VALID", data_format="NCHW")}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    assert not any(request_ops(path)[op] for op in NORMAL)
    assert_near_answers(path, source, request(2, 5, 9, 9), optimizer=True, share=2e-6)


def test_a_mean_is_subtracted_before_anything_is_rounded(tmp_path: Path) -> None:
    """The years of a century: 2020.25 - 2020 is exact, 2020.25 * k - 2020 * k is not."""
    def network() -> Any:
        x = placeholder(None, 5)
        years = (x - 2020.0) / 4.0
        return {"x": x}, {"y": tf.matmul(years, normal(5, 6))}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    ops = request_ops(path)
    assert (ops["Sub"], ops["RealDiv"]) == (1, 0)
    years = np.random.default_rng(1).integers(8000, 8160, (9, 5)).astype(np.float32) / 4
    assert_near_answers(path, source, {"x": years}, share=1e-6)


def test_a_fused_mean_far_from_zero_stays(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 9, 9, 5)
        y = fused(tf.nn.relu(x), tf.constant([0, 0, 30.0, 0, 0]))
        return {"x": x}, {"y": tf.nn.conv2d(y, normal(3, 3, 5, 6), 1, "VALID")}

    assert_left_alone(tmp_path, network, "deviations away from 0", request(2, 9, 9, 5))


@pytest.mark.parametrize("network", [
    lambda x: tf.matmul(x[:, :1] * positive(1, 5) + normal(5), normal(5, 6)),
    lambda x: tf.matmul(x * positive(5), normal(5, 6), transpose_a=True),
    lambda x: tf.matmul(x * positive(5, 1), normal(5, 6)),
], ids=["one column scaled to five", "transposed", "by row"])
def test_what_is_no_scale_by_input_of_the_layer(tmp_path: Path, network: Callable) -> None:
    def built() -> Any:
        x = placeholder(5, 5)
        return {"x": x}, {"y": network(x)}
    assert_left_alone(tmp_path, built, "", request(5, 5))


def test_a_layer_in_groups_keeps_what_is_before_it(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 9, 9, 4)
        return {"x": x}, {"y": tf.nn.conv2d(x * positive(4), normal(3, 3, 2, 6), 1, "VALID")}
    assert_left_alone(tmp_path, network, "", request(2, 9, 9, 4))


def test_a_large_kernel_stays_a_variable_and_each_value_is_rounded_once(tmp_path: Path) -> None:
    kernel, across = (np.random.default_rng(n).normal(size=size).astype(np.float32)
                      for n, size in enumerate([(300, 301), 300]))

    def network() -> Any:
        x = placeholder(None, 300)
        scaled = tf.nn.relu(x) * variable("scale", across) + variable("shift", across)
        return {"x": x}, {"y": tf.matmul(scaled, variable("kernel", kernel))}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    wanted = kernel * across.astype(np.float64)[:, np.newaxis]
    np.testing.assert_array_equal(stored(path)["MatMul/kernel"], wanted.astype(np.float32))
    assert_near_answers(path, source, request(4, 300), share=1e-6)


def test_a_layer_between_two_normalisations_takes_up_both(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder(None, 5)
        y = x
        for _ in range(3):
            y = tf.nn.relu(y) * positive(5) + normal(5)
            y = tf.nn.bias_add(tf.matmul(y, normal(5, 5)), normal(5)) * positive(5) + normal(5)
        with tf.control_dependencies([v1.assert_less(x, 9.0)]):
            return {"x": x}, {"y": tf.nn.relu(y)}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    ops = request_ops(path)
    assert [ops[op] for op in ("MatMul", "BiasAdd", "Mul", "AddV2")] == [3, 3, 0, 0]
    assert_near_answers(path, source, request(4, 5), {"x": request(4, 5)["x"] + 20}, share=4e-6)
