"""Real Estimators, trained until their moving averages are their own: no normalisation is left."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alike import assert_near_answers
from tests.support.by_hand import request_ops, slim, v1
from tests.support.models.text import loss_of
from tests.support.models.zoo import (
    config,
    export,
    inputs,
    is_predict,
    predict_spec,
    raw_receiver,
    training_spec,
)
from tests.transforms.normalisations.folding import FOLD, NORMAL

RANDOM = np.random.default_rng(2)
LABELS = np.arange(16) % 3
IMAGES = (RANDOM.normal(size=(16, 10, 10, 3)) * [1, 3, 0.5] + [2, -1, 0]).astype(np.float32)
ROWS = (RANDOM.normal(size=(16, 7, 5)) * 2 + 1).astype(np.float32)
NUMBERS = (RANDOM.normal(size=(16, 4)) * 3 - 1).astype(np.float32)


def layers_v1(training: bool) -> tuple[Any, Callable]:
    def normalised(x: Any, **options: Any) -> Any:
        return v1.layers.batch_normalization(x, training=training, momentum=0.8, **options)
    return v1.layers, normalised


def layers_keras(training: bool) -> tuple[Any, Callable]:
    def normalised(x: Any, **options: Any) -> Any:
        layer = tf.keras.layers.BatchNormalization(momentum=0.8, **options)
        y = layer(x, training=training)
        for update in layer.updates:
            v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update)
        return y
    return tf.keras.layers, normalised


def convolutions_v1(x: Any, training: bool) -> Any:
    layers, normalised = layers_v1(training)
    x = tf.nn.relu(normalised(layers.conv2d(x, 6, 3, padding="same", use_bias=False)))
    x = tf.nn.relu6(normalised(layers.conv2d(x, 8, 3, 2, padding="same"), fused=False))
    x = tf.nn.relu(normalised(layers.separable_conv2d(x, 6, 3), scale=False))
    x = normalised(tf.nn.relu(layers.conv2d(x, 5, 1)), center=False, fused=True)
    return layers.dense(layers.conv2d(x, 4, 2)[:, 0, 0], 3)


def convolutions_keras(x: Any, training: bool) -> Any:
    layers, normalised = layers_keras(training)
    x = tf.nn.relu(normalised(layers.Conv2D(6, 3, padding="same", use_bias=False)(x)))
    x = tf.nn.elu(normalised(layers.DepthwiseConv2D(3, depth_multiplier=2)(x)))
    x = tf.nn.relu(normalised(layers.SeparableConv2D(8, 3, padding="same")(x), fused=False))
    x = normalised(layers.Conv2D(5, 3, dilation_rate=2)(x), scale=False)
    return layers.Dense(3)(layers.GlobalAveragePooling2D()(tf.nn.relu(x)))


def rows_v1(x: Any, training: bool) -> Any:
    layers, normalised = layers_v1(training)
    x = tf.nn.relu(normalised(layers.conv1d(x, 6, 3, padding="same")))
    x = tf.nn.relu(normalised(layers.dense(x, 5)))
    x = normalised(layers.dense(layers.flatten(x), 6, tf.nn.relu))
    return layers.dense(tf.nn.relu(normalised(layers.dense(x, 5, use_bias=False))), 3)


def rows_keras(x: Any, training: bool) -> Any:
    layers, normalised = layers_keras(training)
    x = tf.nn.relu(normalised(layers.Conv1D(6, 3, use_bias=False)(x)))
    x = tf.nn.relu(normalised(layers.Dense(5)(x), scale=False))
    x = normalised(layers.Dense(6, "relu")(layers.Flatten()(x)))
    return layers.Dense(3)(tf.nn.relu(normalised(layers.Dense(5, use_bias=False)(x))))


def custom(directory: str, network: Callable, x: np.ndarray) -> str:
    """Exports a classifier whose logits `network(features, training)` are."""
    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        logits = network(features["x"], mode == tf.estimator.ModeKeys.TRAIN)
        if is_predict(mode):
            return predict_spec({"logits": logits, "probabilities": tf.nn.softmax(logits)})
        return training_spec(mode, loss_of(labels, logits))

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    receiver = raw_receiver(x=(tf.float32, [None, *x.shape[1:]]))
    return export(directory, estimator, inputs({"x": x}, LABELS), receiver, steps=30)


@pytest.mark.parametrize("network, x", [
    pytest.param(convolutions_v1, IMAGES, marks=pytest.mark.long), (convolutions_keras, IMAGES),
    (rows_v1, ROWS), pytest.param(rows_keras, ROWS, marks=pytest.mark.long)])
def test_every_normalisation_of_a_custom_network_is_folded(
        tmp_path: Path, network: Callable, x: np.ndarray) -> None:
    source = custom(str(tmp_path), network, x)
    assert_trained(source, 4)
    path, _ = slim(source, FOLD)
    assert not any(request_ops(path)[op] for op in NORMAL)
    assert_near_answers(path, source, {"x": x}, {"x": x[:1] * 3}, share=1e-5)


def combined(kind: Callable) -> Callable:
    return lambda columns, **options: kind(
        linear_feature_columns=columns, dnn_feature_columns=columns, dnn_hidden_units=[8, 6], **options)


CANNED: dict[str, Callable] = {
    "DNNClassifier": functools.partial(tf.estimator.DNNClassifier, [8, 6], n_classes=3),
    "DNNClassifier of version 1": functools.partial(
        v1.estimator.DNNClassifier, [8, 6], n_classes=3),
    "DNNRegressor": functools.partial(tf.estimator.DNNRegressor, [8, 6]),
    "DNNLinearCombinedClassifier": functools.partial(
        combined(tf.estimator.DNNLinearCombinedClassifier), n_classes=3),
    "DNNLinearCombinedRegressor": combined(tf.estimator.DNNLinearCombinedRegressor),
}
OFTEN = ("DNNClassifier of version 1", "DNNLinearCombinedClassifier")


@pytest.mark.parametrize("make", [
    pytest.param(make, marks=[] if name in OFTEN else pytest.mark.long, id=name)
    for name, make in CANNED.items()])
def test_every_normalisation_of_a_canned_estimator_is_folded(tmp_path: Path, make: Callable) -> None:
    columns = [tf.feature_column.numeric_column("x", [4])]
    estimator = make(columns, batch_norm=True, config=config(str(tmp_path)))
    receiver = raw_receiver(x=(tf.float32, [None, 4]))
    source = export(str(tmp_path), estimator, inputs({"x": NUMBERS}, LABELS), receiver, steps=300)
    assert_trained(source, 2)
    path, _ = slim(source, FOLD)
    ops = request_ops(path)
    assert [ops[op] for op in ("Rsqrt", "Mul", "Sub", "FusedBatchNormV3")] == [0, 0, 0, 0]
    assert_near_answers(path, source, {"x": NUMBERS}, {"x": NUMBERS[:1] * 3}, {"x": NUMBERS[:0]},
                        share=1e-5)


def assert_trained(directory: str, count: int) -> None:
    """There are as many moving variances, and each has moved."""
    reader = tf.train.load_checkpoint(os.path.join(directory, "variables", "variables"))
    names = [n for n in reader.get_variable_to_shape_map() if n.endswith("moving_variance")]
    assert len(names) == count
    for name in names:
        assert np.abs(reader.get_tensor(name) - 1).max() > 0.1, name
