"""Estimators made of a head: several labels, several heads, binary, regression, Poisson."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.support.models.canned_dnn import ASKED, IDS, TARGETS, hashed, train
from tests.support.models.zoo import config, export_parsing, model


@model(*ASKED)
def multi_label_head(directory: str) -> str:
    head = tf.estimator.MultiLabelHead(3, label_vocabulary=["light", "music", "door"])
    estimator = tf.estimator.DNNEstimator(head, [8], [hashed()], config=config(directory))
    several = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 1]])
    return export_parsing(directory, estimator, train(several), [hashed()])


@model(*ASKED)
def multi_head(directory: str) -> str:
    heads = [tf.estimator.MultiClassHead(3, name="intent"), tf.estimator.BinaryClassHead(name="ok"),
             tf.estimator.RegressionHead(name="score")]
    estimator = tf.estimator.DNNEstimator(tf.estimator.MultiHead(heads), [8], [hashed()],
                                          config=config(directory))
    labels = {"intent": IDS, "ok": IDS % 2, "score": TARGETS}
    return export_parsing(directory, estimator, train(labels), [hashed()])


@model(*ASKED)
def linear_estimator_poisson_head(directory: str) -> str:
    column = tf.feature_column.categorical_column_with_hash_bucket("words", 50)
    estimator = tf.estimator.LinearEstimator(tf.estimator.PoissonRegressionHead(), [column],
                                             config=config(directory))
    return export_parsing(directory, estimator, train(np.abs(TARGETS)), [column])


@model(*ASKED)
def combined_estimator_binary_head(directory: str) -> str:
    column = tf.feature_column.categorical_column_with_hash_bucket("words", 50)
    estimator = tf.estimator.DNNLinearCombinedEstimator(
        tf.estimator.BinaryClassHead(thresholds=[0.3]), linear_feature_columns=[column],
        dnn_feature_columns=[hashed()], dnn_hidden_units=[4], config=config(directory))
    return export_parsing(directory, estimator, train(IDS % 2), [column, hashed()])
