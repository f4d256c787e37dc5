"""DNN estimators, v1 and v2, over words: every combiner, batch norm, labels as ids and as strings."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.models.zoo import config, examples, export_parsing, inputs, model

WORDS = np.array([["turn", "on", "light"], ["play", "music", ""], ["stop", "", ""],
                  ["turn", "off", "music"]])
NAMES = ["on", "play", "stop"]
LABELS = np.array([["on"], ["play"], ["stop"], ["on"]])
IDS = np.array([[0], [1], [2], [0]])
TARGETS = np.array([[0.5], [1.0], [-2.0], [3.0]], np.float32)

ASKED = (
    examples({"words": ["turn", "on", "light"]}),
    examples({"words": ["play", "music"]}, {"words": ["stop"]}, {"words": ["turn"] * 9},
             {"words": []}, {}, {"words": [""]}),
    examples({"words": ["never", "seen", "wörd", "on"]}),
    examples({}),
    examples(),
    np.array([b"no example"], object),
)


def train(labels: Any, words: Any = WORDS) -> Any:
    return inputs({"words": words}, labels)


def hashed(combiner: str = "mean", buckets: int = 40, dimension: int = 4) -> Any:
    words = tf.feature_column.categorical_column_with_hash_bucket("words", buckets)
    return tf.feature_column.embedding_column(words, dimension, combiner)


@model(*ASKED)
def dnn_v1_hash_mean(directory: str) -> str:
    column = hashed("mean", 3000, 8)
    estimator = tf.compat.v1.estimator.DNNClassifier([8], [column], n_classes=3,
                                                     config=config(directory))
    return export_parsing(directory, estimator, train(IDS), [column])


@model(*ASKED)
def dnn_v1_batch_norm_label_vocabulary(directory: str) -> str:
    column = hashed("sum")
    estimator = tf.compat.v1.estimator.DNNClassifier(
        [8, 6], [column], n_classes=3, label_vocabulary=NAMES, batch_norm=True,
        config=config(directory))
    return export_parsing(directory, estimator, train(LABELS), [column], steps=5)


@model(*ASKED)
def dnn_v2_hash_mean(directory: str) -> str:
    column = hashed("mean", 3000, 8)
    estimator = tf.estimator.DNNClassifier([8], [column], n_classes=3, config=config(directory))
    return export_parsing(directory, estimator, train(IDS), [column])


@model(*ASKED)
def dnn_v2_hash_sum_batch_norm_labels(directory: str) -> str:
    column = hashed("sum")
    estimator = tf.estimator.DNNClassifier(
        [8, 6], [column], n_classes=3, label_vocabulary=NAMES, batch_norm=True,
        activation_fn=tf.nn.tanh, config=config(directory))
    return export_parsing(directory, estimator, train(LABELS), [column], steps=5)


@model(*ASKED)
def dnn_v2_hash_sqrtn_dropout(directory: str) -> str:
    column = hashed("sqrtn")
    estimator = tf.estimator.DNNClassifier([8], [column], n_classes=3, dropout=0.5,
                                           config=config(directory))
    return export_parsing(directory, estimator, train(IDS), [column])


@model(*ASKED)
def dnn_v2_max_norm(directory: str) -> str:
    words = tf.feature_column.categorical_column_with_hash_bucket("words", 40)
    column = tf.feature_column.embedding_column(words, 4, max_norm=0.3)
    estimator = tf.estimator.DNNClassifier([8], [column], n_classes=3, config=config(directory))
    return export_parsing(directory, estimator, train(IDS), [column])


@model(*ASKED)
def dnn_v2_binary_label_vocabulary(directory: str) -> str:
    column = hashed()
    labels = np.array([["yes"], ["no"], ["no"], ["yes"]])
    estimator = tf.estimator.DNNClassifier([8], [column], label_vocabulary=["yes", "no"],
                                           config=config(directory))
    return export_parsing(directory, estimator, train(labels), [column])


@model(*ASKED)
def dnn_regressor_v1(directory: str) -> str:
    column = hashed()
    estimator = tf.compat.v1.estimator.DNNRegressor([8], [column], config=config(directory))
    return export_parsing(directory, estimator, train(TARGETS), [column])


@model(*ASKED)
def dnn_regressor_v2_two_targets(directory: str) -> str:
    column = hashed()
    estimator = tf.estimator.DNNRegressor([8], [column], label_dimension=2,
                                          config=config(directory))
    return export_parsing(directory, estimator, train(np.tile(TARGETS, 2)), [column])


@model(*ASKED)
def dnn_v1_partitioned(directory: str) -> str:
    column = hashed("mean", 3001, 8)
    estimator = tf.compat.v1.estimator.DNNClassifier(
        [8], [column], n_classes=3, config=config(directory),
        input_layer_partitioner=tf.compat.v1.fixed_size_partitioner(3))
    return export_parsing(directory, estimator, train(IDS), [column])


@model(*ASKED)
def dnn_v1_partitioned_small(directory: str) -> str:
    column = hashed("sqrtn", 41, 4)
    estimator = tf.compat.v1.estimator.DNNClassifier(
        [8], [column], n_classes=3, config=config(directory),
        input_layer_partitioner=tf.compat.v1.fixed_size_partitioner(3))
    return export_parsing(directory, estimator, train(IDS), [column])
