"""What TensorFlow's optimizer would make another model of, were it a constant, stays a variable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alike import assert_near_answers
from tests.support.by_hand import servable, slim, stored, variable

v1 = tf.compat.v1
RANDOM = np.random.default_rng(1)
EVERYTHING_LOSSLESS = ("strip_unused_nodes remove_nodes(op=Identity) fold_constants fold_batch_norms "
                       "simplify_lookups merge_duplicate_nodes sort_by_execution_order")
TINY = 1e-12  # epsilon of Transformers; _MklLayerNorm takes 0.001


def weight(name: str, *shape: int, around: float = 1.0) -> Any:
    return variable(name, (around + 0.2 * RANDOM.normal(size=shape)).astype(np.float32))


def normalised(x: tf.Tensor, axes: list[int], gamma: Any, beta: Any, epsilon: float = TINY) -> tf.Tensor:
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)


def layer_norm(x: tf.Tensor) -> tf.Tensor:
    return normalised(x, [2], weight("gamma", 16), weight("beta", 16, around=0))


def layer_norm_of_rows(x: tf.Tensor) -> tf.Tensor:
    rows = tf.reshape(x, [-1, 16])
    return normalised(rows, [1], weight("gamma", 16), weight("beta", 16, around=0))


def gamma_of_one_and_more(x: tf.Tensor) -> tf.Tensor:
    return normalised(x, [2], weight("gamma", 16, around=0) + 1.0, weight("beta", 16, around=0))


def a_row_of_a_table_of_gammas(x: tf.Tensor) -> tf.Tensor:
    tables = weight("gammas", 3, 16), weight("betas", 3, 16, around=0)
    return normalised(x, [2], *(tf.gather(table, 1) for table in tables))


def half_precision_weights(x: tf.Tensor) -> tf.Tensor:
    gamma, beta = (tf.cast(tf.cast(one, tf.float16), tf.float32)
                   for one in (weight("gamma", 16), weight("beta", 16, around=0)))
    return normalised(x, [2], gamma, beta)


def divided_by_the_root(x: tf.Tensor) -> tf.Tensor:
    mean = tf.reduce_mean(x, 2, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), 2, keepdims=True)
    scale = weight("gamma", 16) / tf.sqrt(variance + TINY)
    return x * scale + (weight("beta", 16, around=0) - mean * scale)


def over_the_middle_axes(x: tf.Tensor) -> tf.Tensor:
    """As Keras's LayerNormalization(axis=[1, 2]) writes it: a gamma for each place, not each channel."""
    image = tf.reshape(x, [-1, 5, 4, 4])
    return normalised(image, [1, 2], weight("gamma", 5, 4, 1), weight("beta", 5, 4, 1, around=0), 0.01)


def one_gamma_for_all(x: tf.Tensor) -> tf.Tensor:
    image = tf.reshape(x, [-1, 5, 4, 4])
    return normalised(image, [1, 2], weight("gamma"), weight("beta", around=0), 0.01)


def leaky_above_one(x: tf.Tensor) -> tf.Tensor:
    return tf.maximum(x, variable("alpha", np.float32(1.5)) * x)


def leaky_the_other_way_round(x: tf.Tensor) -> tf.Tensor:
    return tf.maximum(x * (variable("alpha", np.float32(0.2)) + 1.1), x)


NETWORKS = (layer_norm, layer_norm_of_rows, gamma_of_one_and_more, a_row_of_a_table_of_gammas,
            half_precision_weights, divided_by_the_root, over_the_middle_axes, one_gamma_for_all,
            leaky_above_one, leaky_the_other_way_round)


def export(folder: Path, network: Callable, resource: bool = True) -> str:
    def build() -> Any:
        with v1.variable_scope("", use_resource=resource):
            x = v1.placeholder(tf.float32, [None, 5, 16], "x")
            return {"x": x}, {"y": network(x * 1.0) * 2.0}
    return servable(folder, build)


def request() -> dict[str, np.ndarray]:
    """Numbers so small that an epsilon of 0.001 would be more than their variance."""
    return {"x": (0.02 * np.random.default_rng(2).normal(size=(3, 5, 16))).astype(np.float32)}


@pytest.mark.parametrize("network", NETWORKS)
def test_normalisations_answer_with_the_optimizer_as_the_original_does(
        tmp_path: Path, network: Callable) -> None:
    for weights, transforms in (("auto", ""), ("constants", EVERYTHING_LOSSLESS), ("variables", "")):
        source = export(tmp_path, network, resource=weights != "constants")
        path, _ = slim(source, transforms, weights=weights)
        assert_near_answers(path, source, request(), optimizer=True, rtol=1e-4, atol=1e-5)


def test_a_gamma_that_a_request_chooses_is_no_matter(tmp_path: Path) -> None:
    def network(x: tf.Tensor) -> tf.Tensor:
        rows = tf.cast(tf.argmax(x[:, 0], 1), tf.int32)
        return normalised(x, [2], tf.gather(weight("gamma", 16, 16), rows)[:, None], 0.5)
    source = export(tmp_path, network)
    path, _ = slim(source, EVERYTHING_LOSSLESS)
    assert_near_answers(path, source, request(), optimizer=True, rtol=1e-4, atol=1e-5)
    assert not (Path(path) / "variables").exists()


def batch_norm_of_a_pooled_product(x: tf.Tensor) -> tf.Tensor:
    pooled = tf.reduce_mean(x * weight("mask", 16), 1)
    return pooled * weight("scale", 16) + weight("shift", 16)


def rectified_by_another(x: tf.Tensor) -> tf.Tensor:
    return tf.maximum(x, weight("least", 16))


@pytest.mark.parametrize("network", [batch_norm_of_a_pooled_product, rectified_by_another])
def test_everything_else_that_is_small_is_a_constant(tmp_path: Path, network: Callable) -> None:
    path, _ = slim(export(tmp_path, network), "")
    assert not (Path(path) / "variables").exists()


def test_only_what_scales_and_shifts_is_kept(tmp_path: Path) -> None:
    def network(x: tf.Tensor) -> tf.Tensor:
        hidden = tf.matmul(tf.reshape(x, [-1, 16]), weight("kernel", 16, 16)) + weight("bias", 16)
        return normalised(hidden, [1], weight("gamma", 16), weight("beta", 16)) @ weight("next", 16, 4)
    path, _ = slim(export(tmp_path, network), EVERYTHING_LOSSLESS, weights="constants")
    assert sorted(stored(path)) == ["beta", "gamma"]
