"""Linear, wide-and-deep and baseline estimators, v1 and v2."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.models.canned_dnn import ASKED, IDS, LABELS, NAMES, TARGETS, hashed, train
from tests.support.models.zoo import config, examples, export, export_parsing, inputs, model

_MIXED = {"words": [["turn", "on"], ["play", ""], ["stop", ""], ["turn", "off"]],
          "age": [[1.0], [7.5], [30.0], [99.0]]}
_ASKED_MIXED = (
    examples({"words": ["turn", "on"], "age": [3.0]}),
    examples({"words": ["turn", "on"], "age": [3.0]}, {"words": [], "age": [-1.0]},
             {"age": [55.5]}, {"words": ["unseen"] * 4, "age": [0.0]}),
    examples({"words": ["turn"]}),
    examples(),
)


def _words(buckets: int = 50) -> Any:
    return tf.feature_column.categorical_column_with_hash_bucket("words", buckets)


def _age() -> Any:
    return tf.feature_column.numeric_column("age", normalizer_fn=lambda x: x / 50.0)


def _crossed() -> list:
    age = tf.feature_column.numeric_column("age")
    ages = tf.feature_column.bucketized_column(age, [5.0, 20.0, 60.0])
    return [_words(), _age(), ages, tf.feature_column.crossed_column([ages, "words"], 70)]


@model(*ASKED)
def linear_classifier_v1(directory: str) -> str:
    estimator = tf.compat.v1.estimator.LinearClassifier([_words()], n_classes=3,
                                                        config=config(directory))
    return export_parsing(directory, estimator, train(IDS), [_words()])


@model(*ASKED)
def linear_classifier_v1_mean_partitioned(directory: str) -> str:
    estimator = tf.compat.v1.estimator.LinearClassifier(
        [_words(9001)], n_classes=3, sparse_combiner="mean", config=config(directory),
        partitioner=tf.compat.v1.fixed_size_partitioner(3))
    return export_parsing(directory, estimator, train(IDS), [_words(9001)])


@model(*_ASKED_MIXED)
def linear_classifier_v2_crossed(directory: str) -> str:
    estimator = tf.estimator.LinearClassifier(_crossed(), n_classes=3, config=config(directory),
                                              label_vocabulary=NAMES)
    return export_parsing(directory, estimator, inputs(_MIXED, LABELS), _crossed())


@model(*ASKED)
def linear_classifier_v2_sqrtn_large(directory: str) -> str:
    column = _words(20000)
    estimator = tf.estimator.LinearClassifier([column], sparse_combiner="sqrtn", n_classes=3,
                                              config=config(directory))
    return export_parsing(directory, estimator, train(IDS), [column])


@model(*_ASKED_MIXED)
def linear_regressor_v1(directory: str) -> str:
    estimator = tf.compat.v1.estimator.LinearRegressor(_crossed(), config=config(directory))
    return export_parsing(directory, estimator, inputs(_MIXED, TARGETS), _crossed())


@model(*_ASKED_MIXED)
def linear_regressor_v2(directory: str) -> str:
    estimator = tf.estimator.LinearRegressor(_crossed(), config=config(directory))
    return export_parsing(directory, estimator, inputs(_MIXED, TARGETS), _crossed())


@model(*_ASKED_MIXED)
def wide_and_deep_v1(directory: str) -> str:
    deep = [hashed("mean", 3000, 8), _age()]
    estimator = tf.compat.v1.estimator.DNNLinearCombinedClassifier(
        linear_feature_columns=_crossed(), dnn_feature_columns=deep, dnn_hidden_units=[8],
        n_classes=3, label_vocabulary=NAMES, config=config(directory))
    return export_parsing(directory, estimator, inputs(_MIXED, LABELS), _crossed() + deep)


@model(*_ASKED_MIXED)
def wide_and_deep_v2(directory: str) -> str:
    deep = [hashed("mean", 3000, 8), _age()]
    estimator = tf.estimator.DNNLinearCombinedClassifier(
        linear_feature_columns=_crossed(), dnn_feature_columns=deep, dnn_hidden_units=[8, 4],
        n_classes=3, batch_norm=True, config=config(directory))
    return export_parsing(directory, estimator, inputs(_MIXED, IDS), _crossed() + deep, steps=4)


@model(*_ASKED_MIXED)
def wide_and_deep_regressor_v2(directory: str) -> str:
    estimator = tf.estimator.DNNLinearCombinedRegressor(
        linear_feature_columns=[_words()], dnn_feature_columns=[hashed()], dnn_hidden_units=[8],
        config=config(directory))
    return export_parsing(directory, estimator, inputs(_MIXED, TARGETS), [_words(), hashed()])


def _baseline_input(labels: Any) -> Any:
    return inputs({"words": np.array([[1.0], [2.0], [3.0], [4.0]], np.float32)}, labels)


@model({"words": np.array([[1.0], [5.0]], np.float32)}, {"words": np.zeros((0, 1), np.float32)})
def baseline_classifier_v1(directory: str) -> str:
    estimator = tf.compat.v1.estimator.BaselineClassifier(n_classes=3, config=config(directory))
    return export(directory, estimator, _baseline_input(IDS), _dense_receiver)


@model({"words": np.array([[1.0], [5.0]], np.float32)}, {"words": np.zeros((0, 1), np.float32)})
def baseline_classifier_v2_labels(directory: str) -> str:
    estimator = tf.estimator.BaselineClassifier(n_classes=3, label_vocabulary=NAMES,
                                                config=config(directory))
    return export(directory, estimator, _baseline_input(LABELS), _dense_receiver)


@model({"words": np.array([[1.0], [5.0]], np.float32)})
def baseline_regressor_v2(directory: str) -> str:
    estimator = tf.estimator.BaselineRegressor(config=config(directory))
    return export(directory, estimator, _baseline_input(TARGETS), _dense_receiver)


def _dense_receiver() -> Any:
    words = tf.compat.v1.placeholder(tf.float32, [None, 1], "words")
    return tf.estimator.export.ServingInputReceiver({"words": words}, {"words": words})
