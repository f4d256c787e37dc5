"""Canned Estimators of TensorFlow 1.15, most with their variables in several parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.old_servables.fixture import (
    INTENTS,
    WORDS,
    batch,
    config,
    examples,
    export,
    export_parsing,
    fixture,
    raw_receiver,
    words_file,
)

fc = tf.feature_column
_SENTENCES = np.array([["turn", "on", "the", "light"], ["play", "some", "jazz", ""],
                       ["something", "in", "", ""], ["turn", "off", "the", "kitchen"]])
_AGES = np.array([18.0, 31.0, 44.0, 70.0], np.float32)
_FEATURES = {"words": _SENTENCES, "age": _AGES}
_IDS = np.array([0, 1, 2, 0])
_NAMES = np.array(INTENTS)[_IDS]
_ASKED = (examples({"words": ["turn", "on", "the", "light"], "age": [25.0]},
                   {"words": ["play", "unheard", "jazz"], "age": [60.0]}, {"age": [3.0]}),
          examples({"words": ["kitchen"], "age": [44.0]}), examples({"words": ["on"]}), examples())
_PARTS = tf.compat.v1.fixed_size_partitioner(3)


def _hashed(size: int = 64) -> Any:
    return fc.categorical_column_with_hash_bucket("words", size)


def _age() -> Any:
    return fc.numeric_column("age", normalizer_fn=lambda age: (age - 40.0) / 20.0)


@fixture(*_ASKED)
def dnn_classifier_in_parts(directory: str) -> Any:
    """Embedding and kernels in three parts each; words from a file, in an asset."""
    column = fc.embedding_column(fc.categorical_column_with_vocabulary_file(
        "words", words_file(directory), num_oov_buckets=54), 4, combiner="sqrtn")
    columns = [column, _age()]
    estimator = tf.estimator.DNNClassifier(
        [6, 4], columns, n_classes=3, label_vocabulary=INTENTS, optimizer="Adam",
        input_layer_partitioner=_PARTS, config=config(directory))
    return export_parsing(directory, estimator, batch(_FEATURES, _NAMES), columns)


@fixture(*_ASKED)
def linear_classifier_in_parts(directory: str) -> Any:
    """A vocabulary with buckets for others, buckets of a number and a cross of the two."""
    ages = fc.bucketized_column(fc.numeric_column("age"), [20.0, 40.0, 60.0])
    columns = [fc.categorical_column_with_vocabulary_list("words", WORDS, num_oov_buckets=54), ages,
               fc.crossed_column(["words", ages], 40)]
    estimator = tf.estimator.LinearClassifier(
        columns, n_classes=2, optimizer="Ftrl", partitioner=_PARTS, config=config(directory))
    return export_parsing(directory, estimator, batch(_FEATURES, _IDS % 2), columns)


@fixture(*_ASKED)
def wide_and_deep_in_parts(directory: str) -> Any:
    indicator = fc.indicator_column(fc.categorical_column_with_vocabulary_list("words", WORDS))
    deep = [fc.embedding_column(_hashed(), 4), indicator, _age()]
    estimator = tf.estimator.DNNLinearCombinedClassifier(
        linear_feature_columns=[_hashed()], dnn_feature_columns=deep, dnn_hidden_units=[5],
        n_classes=3, label_vocabulary=INTENTS, input_layer_partitioner=_PARTS,
        config=config(directory))
    return export_parsing(directory, estimator, batch(_FEATURES, _NAMES), [_hashed(), *deep])


@fixture(*_ASKED)
def dnn_regressor_batch_norm(directory: str) -> Any:
    """Two columns share an embedding; moving averages behind every layer."""
    shared = fc.shared_embedding_columns(
        [_hashed(), fc.categorical_column_with_hash_bucket("more", 64)], 4)
    columns = [*shared, _age()]
    estimator = tf.estimator.DNNRegressor([6], columns, label_dimension=2, batch_norm=True,
                                          config=config(directory))
    features = dict(_FEATURES, more=_SENTENCES[::-1])
    targets = np.stack([_AGES / 10, -_AGES], 1)
    return export_parsing(directory, estimator, batch(features, targets), columns)


@fixture({"examples": _ASKED[0], "inputs": _ASKED[0]}, {"examples": _ASKED[3], "inputs": _ASKED[3]})
def boosted_trees(directory: str) -> Any:
    """Trees, which are no variables but are in the checkpoint all the same."""
    ages = fc.bucketized_column(fc.numeric_column("age"), [20.0, 40.0, 60.0])
    words = fc.indicator_column(fc.categorical_column_with_vocabulary_list("words", WORDS))
    estimator = tf.estimator.BoostedTreesClassifier([ages, words], n_batches_per_layer=1,
                                                    n_trees=2, max_depth=2, learning_rate=0.5,
                                                    config=config(directory))
    estimator.train(batch(_FEATURES, (_IDS > 0).astype(np.int32)), steps=6)
    return export_parsing(directory, estimator, batch(_FEATURES, (_IDS > 0).astype(np.int32)),
                          [ages, words])


@fixture({"x": np.array([[0, 0.5], [9, 9], [-3, 4]], np.float32)}, {"x": np.zeros((0, 2), np.float32)})
def kmeans(directory: str) -> Any:
    points = np.array([[0, 0], [0, 1], [9, 9], [9, 8], [-4, 4], [-4, 5]], np.float32)
    estimator = tf.compat.v1.estimator.experimental.KMeans(3, use_mini_batch=False, seed=7,
                                                           config=config(directory))
    return export(directory, estimator, lambda: tf.data.Dataset.from_tensors({"x": points}).repeat(),
                  raw_receiver(x=(tf.float32, [None, 2])))
