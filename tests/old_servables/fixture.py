"""What a fixture is, and the few lines that all of them share; runs in TensorFlow 1.15."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

WORDS = ["turn", "on", "off", "the", "light", "play", "some", "jazz", "in", "kitchen"]
INTENTS = ["light", "music", "other"]


@dataclass(frozen=True)
class Fixture:
    """One old servable.

    Attributes:
      build: `build(directory)` → the path of the exported SavedModel, below `directory`.
      requests: what every signature is asked; see `ask`.
      tags: of the MetaGraph that is asked.
    """

    build: Callable[[str], Any]
    requests: tuple
    tags: tuple = ("serve",)


FIXTURES: dict[str, Fixture] = {}


def fixture(*requests: Any, tags: tuple = ("serve",)) -> Callable:
    """Lists the decorated build function in FIXTURES."""
    def register(build: Callable) -> Callable:
        FIXTURES[build.__name__] = Fixture(build, requests, tags)
        return build
    return register


def texts(*values: str) -> np.ndarray:
    """A batch of strings."""
    return np.array([value.encode() for value in values], object)


def examples(*features: dict) -> np.ndarray:
    """A batch of serialized tf.train.Examples."""
    return np.array([_example(f) for f in features], object)


def _example(features: dict) -> bytes:
    result = tf.train.Example()
    for key, values in features.items():
        feature = result.features.feature[key]
        if isinstance(values[0], str):
            feature.bytes_list.value.extend([v.encode() for v in values])
        elif isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return result.SerializeToString(deterministic=True)


def words_file(directory: str) -> str:
    """WORDS, one a line."""
    path = os.path.join(directory, "words.txt")
    with open(path, "w") as file:
        file.write("\n".join(WORDS) + "\n")
    return path


def config(directory: str) -> tf.estimator.RunConfig:
    """Deterministic, and little written."""
    return tf.estimator.RunConfig(
        os.path.join(directory, "model"), tf_random_seed=7, save_summary_steps=None,
        log_step_count_steps=None, session_config=tf.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=1))


def batch(features: dict, labels: Any) -> Callable:
    """An input_fn that repeats one batch."""
    return lambda: tf.data.Dataset.from_tensors((features, labels)).repeat()


def export(directory: str, estimator: Any, train: Callable, receiver: Callable,
           **options: Any) -> Any:
    """Trains a few steps and exports as people did until 1.13 or so: default attributes spelt out."""
    estimator.train(train, steps=3)
    return estimator.export_savedmodel(os.path.join(directory, "export"), receiver, **options)


def export_parsing(directory: str, estimator: Any, train: Callable, columns: list,
                   **options: Any) -> Any:
    """As `export`, with a receiver that parses tf.train.Examples of the columns' features."""
    spec = tf.feature_column.make_parse_example_spec(columns)
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(spec)
    return export(directory, estimator, train, receiver, **options)


def raw_receiver(**shapes: Any) -> Callable:
    """A receiver of raw placeholders, `name=(dtype, shape)`."""
    def receiver() -> Any:
        features = {key: tf.placeholder(dtype, shape, key)
                    for key, (dtype, shape) in shapes.items()}
        return tf.estimator.export.ServingInputReceiver(features, features)
    return receiver


def simple_save(directory: str, inputs: dict, outputs: dict, **options: Any) -> str:
    """Exports the default graph with fresh variables, without an Estimator."""
    path = f"{directory}/export"
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        tf.saved_model.simple_save(session, path, inputs, outputs, **options)
    return path
