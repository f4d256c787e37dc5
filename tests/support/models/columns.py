"""Feature columns: vocabularies, identities, shared, weighted, crossed, bucketized, sequences."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.models.canned_dnn import ASKED, IDS, LABELS, NAMES, WORDS, train
from tests.support.models.zoo import (
    config,
    examples,
    export,
    export_parsing,
    inputs,
    is_predict,
    model,
    predict_spec,
    training_spec,
)

_VOCABULARY = ["turn", "on", "off", "light", "music", "play"]


def _classifier(directory: str, columns: list, **options: Any) -> Any:
    return tf.estimator.DNNClassifier([8], columns, n_classes=3, config=config(directory),
                                      **options)


@model(*ASKED)
def vocabulary_file_oov_labels(directory: str) -> str:
    """What the issue promises: a vocabulary file, an unknown bucket and a label vocabulary."""
    path = os.path.join(directory, "words.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([*_VOCABULARY, "wörd"]) + "\n")
    words = tf.feature_column.categorical_column_with_vocabulary_file(
        "words", path, num_oov_buckets=2)
    column = tf.feature_column.embedding_column(words, 4)
    return export_parsing(directory, _classifier(directory, [column], label_vocabulary=NAMES),
                          train(LABELS), [column])


@model(*ASKED)
def vocabulary_file_v1_default_value(directory: str) -> str:
    path = os.path.join(directory, "words.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(_VOCABULARY))
    words = tf.feature_column.categorical_column_with_vocabulary_file(
        "words", path, default_value=1)
    columns = [tf.feature_column.embedding_column(words, 4),
               tf.feature_column.indicator_column(words)]
    estimator = tf.compat.v1.estimator.DNNClassifier(
        [8], columns, n_classes=3, label_vocabulary=NAMES, config=config(directory))
    return export_parsing(directory, estimator, train(LABELS), columns)


@model(*ASKED)
def vocabulary_list_without_oov(directory: str) -> str:
    words = tf.feature_column.categorical_column_with_vocabulary_list("words", _VOCABULARY)
    column = tf.feature_column.embedding_column(words, 4)
    return export_parsing(directory, _classifier(directory, [column]), train(IDS), [column])


@model(examples({"id": [0]}, {"id": [5]}, {"id": []}, {}), examples({"id": [-1]}),
       examples({"id": [6]}), examples({"id": [2, 100]}), examples({"id": [1, 2, 3]}), examples())
def identity_refuses_ids_out_of_range(directory: str) -> str:
    ids = tf.feature_column.categorical_column_with_identity("id", 6)
    column = tf.feature_column.embedding_column(ids, 4)
    features = {"id": np.array([[0], [1], [5], [3]])}
    return export_parsing(directory, _classifier(directory, [column]), inputs(features, IDS),
                          [column])


@model(examples({"id": [0]}, {"id": [5]}, {}), examples({"id": [-1]}), examples({"id": [999]}))
def identity_with_default(directory: str) -> str:
    ids = tf.feature_column.categorical_column_with_identity("id", 3000, default_value=2)
    column = tf.feature_column.embedding_column(ids, 8)
    features = {"id": np.array([[0], [1], [5], [3]])}
    return export_parsing(directory, _classifier(directory, [column]), inputs(features, IDS),
                          [column])


@model(examples({"words": ["turn", "on"], "last": ["stop"]}), examples({"last": ["turn"]}, {}),
       examples())
def shared_embeddings(directory: str) -> str:
    both = [tf.feature_column.categorical_column_with_hash_bucket(key, 3000)
            for key in ("words", "last")]
    features = {"words": WORDS, "last": np.array([["on"], ["play"], ["stop"], [""]])}
    with tf.Graph().as_default():
        columns = tf.feature_column.shared_embeddings(both, 8)
    return export_parsing(directory, _classifier(directory, columns), inputs(features, IDS),
                          columns)


@model(examples({"words": ["turn", "on"], "age": [3.0], "size": [1.0, 2.0]}),
       examples({"words": [], "age": [-1e9], "size": [0.5, 0.5]},
                {"words": ["x", "y", "x"], "age": [1e9], "size": [-1.0, 1e3]}),
       examples({"age": [1.0]}), examples({"words": ["turn"], "size": [1.0, 2.0]}), examples())
def indicators_crossed_bucketized_numeric(directory: str) -> str:
    words = tf.feature_column.categorical_column_with_hash_bucket("words", 20)
    age = tf.feature_column.numeric_column("age")
    ages = tf.feature_column.bucketized_column(age, [5.0, 20.0])
    crossed = tf.feature_column.crossed_column([ages, "words"], 30)
    size = tf.feature_column.numeric_column("size", [2], default_value=[0.0, 1.0],
                                            normalizer_fn=lambda x: (x - 3.0) / 2.0)
    columns = [tf.feature_column.indicator_column(words), ages, size,
               tf.feature_column.indicator_column(crossed),
               tf.feature_column.embedding_column(crossed, 3)]
    features = {"words": WORDS, "age": np.array([[1.0], [9.0], [30.0], [5.0]], np.float32),
                "size": np.ones((4, 2), np.float32)}
    return export_parsing(directory, _classifier(directory, columns), inputs(features, IDS),
                          columns)


@model(examples({"words": ["turn", "on"], "score": [0.5, 2.0]}),
       examples({"words": ["on"], "score": [1.0]}, {"words": [], "score": []}),
       examples({"words": ["on"], "score": [-1.0]}), examples({"words": ["turn", "on"]}),
       examples())
def weighted_embedding(directory: str) -> str:
    words = tf.feature_column.categorical_column_with_hash_bucket("words", 3000)
    weighted = tf.feature_column.weighted_categorical_column(words, "score")
    column = tf.feature_column.embedding_column(weighted, 8)

    def train_inputs() -> Any:
        sparse = tf.sparse.from_dense(WORDS)
        score = tf.SparseTensor(sparse.indices, tf.ones([9]), sparse.dense_shape)
        return tf.data.Dataset.from_tensors(({"words": sparse, "score": score}, IDS)).repeat()

    return export_parsing(directory, _classifier(directory, [column]), train_inputs, [column])


@model(examples({"words": ["turn", "on"]}), examples({"words": ["a"] * 7}, {}, {"words": ["on"]}),
       examples({}), examples())
def sequence_features_lstm(directory: str) -> str:
    words = tf.feature_column.sequence_categorical_column_with_hash_bucket("words", 3000)
    column = tf.feature_column.embedding_column(words, 8)

    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        sequence, lengths = tf.keras.experimental.SequenceFeatures([column])(features)
        hidden = tf.keras.layers.LSTM(6)(sequence, mask=tf.sequence_mask(lengths))
        logits = tf.keras.layers.Dense(3)(hidden)
        if is_predict(mode):
            return predict_spec({"probabilities": tf.nn.softmax(logits), "lengths": lengths})
        loss = tf.compat.v1.losses.sparse_softmax_cross_entropy(labels, logits)
        return training_spec(mode, loss)

    def train_inputs() -> Any:
        features = {"words": tf.sparse.from_dense(WORDS)}
        return tf.data.Dataset.from_tensors((features, IDS)).repeat()

    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec([column]))
    return export(directory, tf.estimator.Estimator(model_fn, config=config(directory)),
                  train_inputs, receiver)
