"""A classifier over several feature columns: two embeddings, a wide indicator and a number.

Goal: p50 ≤ 0.90 of the original's at batch 1 and ≤ 0.95 at batch 64, float and quantized.
"""

from __future__ import annotations

import argparse
import os
import shutil

import numpy as np
import tensorflow as tf
from markdown_table import show
from nodes import executed
from serving import measured, show_ratios
from slims import LISTS, optimized, original

tf1 = tf.compat.v1
WORDS, TAGS, LABELS = 1000, 300, ["no", "maybe", "yes"]  # words that occur, tags that occur
CLASSIFIERS = {"tf.compat.v1.estimator": tf1.estimator.DNNClassifier,
               "tf.estimator": tf.estimator.DNNClassifier}


def run(options: argparse.Namespace) -> None:
    folder = os.path.join(options.work, "three_columns")
    for title, classifier in CLASSIFIERS.items():
        shutil.rmtree(folder, ignore_errors=True)
        servables, examples = _servables(folder, classifier)
        show_ratios(f"{title}.DNNClassifier with three feature columns and a number",
                    measured(options, examples, servables))
        record = next(iter(tf.data.TFRecordDataset(examples))).numpy()
        show("Its nodes executed for one predict request", ["servable", "nodes"],
             [(name, executed(path, record)) for name, path in servables.items()])
    shutil.rmtree(folder)


def _servables(folder: str, classifier: type) -> tuple[dict[str, str], str]:
    """The original and the slims, and a file of Examples to ask them."""
    examples = os.path.join(folder, "examples.tfrecord")
    os.makedirs(folder)
    _write_examples(examples, np.random.default_rng(0))
    columns = _columns()
    estimator = classifier(hidden_units=[64], feature_columns=columns, n_classes=len(LABELS),
                           label_vocabulary=LABELS, model_dir=os.path.join(folder, "model"))
    estimator.train(lambda: _batches(examples, columns))
    estimator.export_saved_model(
        os.path.join(folder, "export"),
        tf.estimator.export.build_parsing_serving_input_receiver_fn(
            tf.feature_column.make_parse_example_spec(columns)))
    servables = {"original": original(folder)}
    for name in ("lossless", "8 bits"):
        servables[name] = os.path.join(folder, name.replace(" ", "_"))
        optimized(servables["original"], servables[name], LISTS[name])
    return servables, examples


def _columns() -> list:
    hashed = tf.feature_column.categorical_column_with_hash_bucket
    return [tf.feature_column.embedding_column(hashed("words", 100_000), 64, combiner="sqrtn"),
            tf.feature_column.embedding_column(hashed("user", 100_000), 32),
            tf.feature_column.indicator_column(hashed("tags", 5000)),
            tf.feature_column.numeric_column("age")]


def _write_examples(path: str, rng: np.random.Generator) -> None:
    """Requests of 3 to 15 words and 0 to 4 tags; one in ten names no user."""
    with tf.io.TFRecordWriter(path) as writer:
        for _ in range(1024):
            known = rng.random() < 0.9
            example = tf.train.Example()
            features = example.features.feature
            features["words"].bytes_list.value.extend(_texts(rng, "w", WORDS, rng.integers(3, 16)))
            features["tags"].bytes_list.value.extend(_texts(rng, "t", TAGS, rng.integers(0, 5)))
            features["user"].bytes_list.value.extend(_texts(rng, "u", WORDS, int(known)))
            features["age"].float_list.value.append(rng.normal())
            writer.write(example.SerializeToString())


def _texts(rng: np.random.Generator, letter: str, kinds: int, count: int) -> list[bytes]:
    return [f"{letter}{i}".encode() for i in rng.integers(0, kinds, count)]


def _batches(examples: str, columns: list) -> tf.data.Dataset:
    spec = tf.feature_column.make_parse_example_spec(columns)

    def parse(serialized: tf.Tensor) -> tuple[dict, tf.Tensor]:
        features = tf.io.parse_example(serialized, spec)
        positive = tf.cast(features["age"] > 0.5, tf.int32) + tf.cast(features["age"] > -0.5, tf.int32)
        return features, tf.gather(LABELS, positive)

    return tf.data.TFRecordDataset(examples).batch(64).map(parse).repeat(10)
