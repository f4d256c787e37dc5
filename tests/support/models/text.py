"""Custom models that take raw strings: one placeholder, split and looked up in the graph."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.models.canned_dnn import IDS, NAMES
from tests.support.models.zoo import (
    config,
    export,
    inputs,
    is_predict,
    model,
    predict_spec,
    raw_receiver,
    texts,
    training_spec,
)

SENTENCES = np.array(["turn on light", "play music", "stop", "turn off music"])
ASKED = (
    texts("turn on light"),
    texts("play music", "", "never seen wörds", "turn " * 30, "stop"),
    texts(""),
    texts(),
    {},
)
TEXT = {"text": (tf.string, [None])}


def train_text(labels: Any = IDS) -> Any:
    return inputs({"text": SENTENCES}, labels)


def split(text: tf.Tensor) -> tf.SparseTensor:
    return tf.strings.split(text).to_sparse()


def with_values(sparse: tf.SparseTensor, values: tf.Tensor) -> tf.SparseTensor:
    return tf.SparseTensor(sparse.indices, values, sparse.dense_shape)


def hashed_ids(text: tf.Tensor, buckets: int) -> tf.SparseTensor:
    words = split(text)
    return with_values(words, tf.strings.to_hash_bucket_fast(words.values, buckets))


def loss_of(labels: Any, logits: tf.Tensor) -> tf.Tensor:
    return tf.compat.v1.losses.sparse_softmax_cross_entropy(labels, logits)


@model(*ASKED)
def raw_text_three_signatures(directory: str) -> str:
    """Classify, regress and predict signatures that share their tensors."""
    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        table = tf.compat.v1.get_variable("table", [4000, 8])
        words = tf.nn.safe_embedding_lookup_sparse(table, hashed_ids(features["text"], 4000))
        logits = tf.compat.v1.layers.dense(words, 3)
        if not is_predict(mode):
            return training_spec(mode, loss_of(labels, logits))
        scores = tf.nn.softmax(logits)
        classes = tf.tile(tf.constant([NAMES]), [tf.shape(scores)[0], 1])
        served = tf.estimator.export
        return predict_spec(
            {"probabilities": scores, "all_classes": classes},
            classification=served.ClassificationOutput(scores, classes),
            regression=served.RegressionOutput(scores[:, 0]),
            again=served.PredictOutput({"probabilities": scores, "logits": logits}))

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    return export(directory, estimator, train_text(), raw_receiver(**TEXT))


@model(*ASKED)
def raw_text_tables_from_files(directory: str) -> str:
    """Words to ids with unknown buckets, and ids back to names, both from assets."""
    words_path, names_path = (os.path.join(directory, f) for f in ("words.txt", "names.txt"))
    for path, lines in ((words_path, ["turn", "on", "music", "stop"]), (names_path, NAMES)):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        kind = tf.lookup.TextFileIndex
        ids_of = tf.lookup.StaticVocabularyTable(tf.lookup.TextFileInitializer(
            words_path, tf.string, kind.WHOLE_LINE, tf.int64, kind.LINE_NUMBER), 2)
        words = split(features["text"])
        ids = with_values(words, ids_of.lookup(words.values))
        table = tf.compat.v1.get_variable("table", [6, 8])
        logits = tf.compat.v1.layers.dense(tf.nn.safe_embedding_lookup_sparse(table, ids), 3)
        if not is_predict(mode):
            return training_spec(mode, loss_of(labels, logits))
        names_of = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(
            names_path, tf.int64, kind.LINE_NUMBER, tf.string, kind.WHOLE_LINE), "?")
        best = tf.argmax(logits, 1)
        return predict_spec({"probabilities": tf.nn.softmax(logits), "class_ids": best,
                             "classes": names_of.lookup(best), "size": ids_of.size()})

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    return export(directory, estimator, train_text(), raw_receiver(**TEXT))


@model(*ASKED)
def raw_text_key_value_tables(directory: str) -> str:
    """Tables whose keys and values are constants in the graph; one is v1's."""
    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        keys, ids = ["turn", "on", "music"], tf.constant([1, 2, 3], tf.int64)
        first = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, ids), 0)
        second = tf.compat.v1.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(ids, ["TURN", "ON", "MUSIC"]), "?")
        words = split(features["text"])
        found = with_values(words, first.lookup(words.values))
        weights = tf.compat.v1.get_variable("weights", [4, 2])
        logits = tf.nn.safe_embedding_lookup_sparse(weights, found, combiner="sum")
        if not is_predict(mode):
            return training_spec(mode, loss_of(labels % 2, logits))
        upper = tf.sparse.to_dense(with_values(words, second.lookup(found.values)), "-")
        return predict_spec({"logits": logits, "upper": upper})

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    return export(directory, estimator, train_text(), raw_receiver(**TEXT))


@model(*ASKED)
def raw_text_ragged_characters(directory: str) -> str:
    """Characters as a ragged tensor, embedded and averaged."""
    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        characters = tf.strings.unicode_split(tf.strings.lower(features["text"]), "UTF-8")
        ids = tf.strings.to_hash_bucket_fast(characters, 100)
        table = tf.compat.v1.get_variable("table", [100, 8])
        embedded = tf.nn.embedding_lookup(table, ids)
        lengths = tf.maximum(tf.cast(characters.row_lengths(), tf.float32), 1.0)
        mean = tf.reduce_sum(embedded, axis=1) / lengths[:, tf.newaxis]
        logits = tf.compat.v1.layers.dense(tf.reshape(mean, [-1, 8]), 3)
        if not is_predict(mode):
            return training_spec(mode, loss_of(labels, logits))
        return predict_spec({"probabilities": tf.nn.softmax(logits),
                             "length": characters.row_lengths()})

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    return export(directory, estimator, train_text(), raw_receiver(**TEXT))


@model({"words": tf.compat.v1.SparseTensorValue([[0, 0], [0, 1], [2, 0]],
                                                texts("turn", "on", "never"), [3, 2])},
       {"words": tf.compat.v1.SparseTensorValue(np.zeros((0, 2), np.int64), texts(), [2, 0])})
def raw_sparse_input_and_output(directory: str) -> str:
    """A sparse placeholder, named in the signature by its three parts."""
    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        words = features["words"]
        ids = with_values(words, tf.strings.to_hash_bucket_fast(words.values, 3000))
        table = tf.compat.v1.get_variable("table", [3000, 8])
        logits = tf.compat.v1.layers.dense(tf.nn.safe_embedding_lookup_sparse(table, ids), 3)
        if not is_predict(mode):
            return training_spec(mode, loss_of(labels, logits))
        return predict_spec({"probabilities": tf.nn.softmax(logits), "ids": ids.values})

    def receiver() -> Any:
        words = tf.compat.v1.sparse_placeholder(tf.string, [None, None], "words")
        return tf.estimator.export.ServingInputReceiver({"words": words}, {"words": words})

    def train_inputs() -> Any:
        return tf.data.Dataset.from_tensors(({"words": split(tf.constant(SENTENCES))},
                                             IDS)).repeat()

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    return export(directory, estimator, train_inputs, receiver)
