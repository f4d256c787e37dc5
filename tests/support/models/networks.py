"""Custom networks: recurrent, convolutional with normalisation, attention, Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.models.canned_dnn import IDS
from tests.support.models.text import loss_of
from tests.support.models.zoo import (
    config,
    export,
    inputs,
    is_predict,
    model,
    predict_spec,
    raw_receiver,
    training_spec,
)
from tests.support.old_control_flow import old_control_flow

_IDS = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0], [6, 0, 0, 0, 0], [1, 7, 5, 2999, 8]], np.int64)
_ASKED_IDS = ({"ids": _IDS}, {"ids": _IDS[:1]}, {"ids": _IDS[:, :2]}, {"ids": _IDS[:0]},
              {"ids": np.full((2, 3), 2999)}, {"ids": np.array([[3000]])}, {"ids": np.array([[-1]])})
_IMAGES = np.random.default_rng(3).random((4, 8, 8, 3), np.float32)
_ASKED_IMAGES = ({"image": _IMAGES}, {"image": _IMAGES[:1] * 10 - 5}, {"image": _IMAGES[:0]},
                 {"image": _IMAGES[:, :4]})


def _export(directory: str, network: Callable, features: dict, **shapes: Any) -> str:
    """Exports a classifier of three classes whose logits `network(features, training)` are."""
    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        logits = network(features, mode == tf.estimator.ModeKeys.TRAIN)
        if is_predict(mode):
            return predict_spec({"probabilities": tf.nn.softmax(logits), "logits": logits})
        return training_spec(mode, loss_of(labels, logits))

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    return export(directory, estimator, inputs(features, IDS), raw_receiver(**shapes), steps=3)


def _of_ids(directory: str, network: Callable) -> str:
    return _export(directory, lambda features, training: network(features["ids"], training),
                   {"ids": _IDS}, ids=(tf.int64, [None, None]))


def _of_images(directory: str, network: Callable) -> str:
    return _export(directory, lambda features, training: network(features["image"], training),
                   {"image": _IMAGES}, image=(tf.float32, [None, None, None, 3]))


def _embedded(ids: tf.Tensor) -> tf.Tensor:
    return tf.nn.embedding_lookup(tf.compat.v1.get_variable("table", [3000, 8]), ids)


@model(*_ASKED_IDS)
def rnn_v1_dynamic(directory: str) -> str:
    def network(ids: tf.Tensor, training: bool) -> tf.Tensor:
        lengths = tf.reduce_sum(tf.cast(ids > 0, tf.int32), 1)
        _, state = tf.compat.v1.nn.dynamic_rnn(
            tf.compat.v1.nn.rnn_cell.GRUCell(6), _embedded(ids), lengths, dtype=tf.float32)
        return tf.compat.v1.layers.dense(state, 3)
    return _of_ids(directory, network)


@model(*_ASKED_IDS)
def rnn_v1_dynamic_lstm_old_control_flow(directory: str) -> str:
    def network(ids: tf.Tensor, training: bool) -> tf.Tensor:
        cell = tf.compat.v1.nn.rnn_cell.LSTMCell(6)
        _, state = tf.compat.v1.nn.dynamic_rnn(cell, _embedded(ids), dtype=tf.float32)
        return tf.compat.v1.layers.dense(state.h, 3)
    with old_control_flow():
        return _of_ids(directory, network)


@model(*_ASKED_IDS)
def rnn_keras_bidirectional_gru(directory: str) -> str:
    def network(ids: tf.Tensor, training: bool) -> tf.Tensor:
        hidden = tf.keras.layers.Bidirectional(tf.keras.layers.GRU(5))(_embedded(ids))
        return tf.keras.layers.Dense(3)(hidden)
    return _of_ids(directory, network)


@model(*_ASKED_IDS)
def conv1d_text_batch_norm(directory: str) -> str:
    def network(ids: tf.Tensor, training: bool) -> tf.Tensor:
        layers = tf.compat.v1.layers
        hidden = layers.conv1d(_embedded(ids), 6, 3, padding="same", use_bias=False)
        hidden = layers.batch_normalization(
            hidden, training=training, moving_mean_initializer=tf.random_normal_initializer(),
            moving_variance_initializer=tf.random_uniform_initializer(0.5, 2.0))
        return layers.dense(tf.reduce_max(tf.nn.relu(hidden), 1), 3)
    return _of_ids(directory, network)


@model(*_ASKED_IDS)
def attention_text(directory: str) -> str:
    def network(ids: tf.Tensor, training: bool) -> tf.Tensor:
        embedded = _embedded(ids)
        mask = tf.where(tf.equal(ids, 0), -1e9, 0.0)[:, tf.newaxis, :]
        scores = tf.matmul(embedded, embedded, transpose_b=True) / 3.0 + mask
        hidden = tf.einsum("bij,bjd->bid", tf.nn.softmax(scores), embedded)
        hidden = tf.keras.layers.LayerNormalization()(hidden)
        return tf.keras.layers.Dense(3)(tf.reduce_mean(hidden, 1))
    return _of_ids(directory, network)


@model(*_ASKED_IMAGES)
def conv2d_fused_batch_norm(directory: str) -> str:
    def network(image: tf.Tensor, training: bool) -> tf.Tensor:
        layers = tf.compat.v1.layers
        hidden = layers.conv2d(image, 6, 3, padding="same")
        hidden = layers.batch_normalization(
            hidden, training=training, moving_mean_initializer=tf.random_normal_initializer(),
            moving_variance_initializer=tf.random_uniform_initializer(0.5, 2.0))
        hidden = layers.max_pooling2d(tf.nn.relu6(hidden), 2, 2)
        return layers.dense(tf.reduce_mean(hidden, [1, 2]), 3)
    return _of_images(directory, network)


@model(*_ASKED_IMAGES)
def conv2d_keras_separable_unfused(directory: str) -> str:
    def network(image: tf.Tensor, training: bool) -> tf.Tensor:
        layers = tf.keras.layers
        hidden = layers.DepthwiseConv2D(3, use_bias=False)(image)
        hidden = layers.BatchNormalization(
            fused=False, moving_mean_initializer="normal",
            gamma_initializer=tf.random_uniform_initializer(0.5, 2.0))(hidden, training=training)
        hidden = layers.Conv2D(5, 1)(tf.nn.relu(hidden))
        hidden = layers.BatchNormalization(moving_mean_initializer="normal")(
            hidden, training=training)
        return layers.Dense(3)(layers.GlobalAveragePooling2D()(hidden))
    return _of_images(directory, network)


@model({"ids": _IDS}, {"ids": _IDS[:1]}, {"ids": _IDS[:0]}, {"ids": np.array([[3000] * 5])})
def keras_model_to_estimator(directory: str) -> str:
    layers = tf.keras.layers
    keras = tf.keras.Sequential([
        layers.Input([5], dtype=tf.int64, name="ids"), layers.Embedding(3000, 8),
        layers.GlobalAveragePooling1D(), layers.Dense(6, "relu"), layers.BatchNormalization(),
        layers.Dense(3, "softmax", name="probabilities")])
    keras.compile("adam", "sparse_categorical_crossentropy")
    estimator = tf.keras.estimator.model_to_estimator(keras, config=config(directory).replace(
        save_checkpoints_steps=1000))
    return export(directory, estimator, inputs({"ids": _IDS}, IDS),
                  raw_receiver(ids=(tf.int64, [None, 5])))


@model({"ids": _IDS}, {"ids": _IDS[:1]}, {"ids": _IDS[:0]})
def keras_functional_two_outputs_lstm(directory: str) -> str:
    layers = tf.keras.layers
    ids = layers.Input([None], dtype=tf.int64, name="ids")
    hidden = layers.LSTM(4)(layers.Embedding(3000, 8, mask_zero=True)(ids))
    outputs = [layers.Dense(3, "softmax", name="intent")(hidden),
               layers.Dense(1, name="score")(hidden)]
    keras = tf.keras.Model(ids, outputs)
    keras.compile("adam", ["sparse_categorical_crossentropy", "mse"])
    estimator = tf.keras.estimator.model_to_estimator(keras, config=config(directory).replace(
        save_checkpoints_steps=1000))
    labels = {"intent": IDS, "score": IDS.astype(np.float32)}
    return export(directory, estimator, inputs({"ids": _IDS}, labels),
                  raw_receiver(ids=(tf.int64, [None, None])))
