"""What a model of the zoo is, and the few lines that all of them share.

A model is a function `build(directory)` that trains a small real Estimator below `directory`,
exports it and returns the exported version's path; `@model(...)` lists it in MODELS under its name,
with the requests that it is to be asked.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import tensorflow as tf

from tests.support.ask import session_options

Request = Union[np.ndarray, dict]


@dataclass(frozen=True)
class Model:
    """One servable to try.

    Attributes:
      build: `build(directory)` → the path of the exported SavedModel.
      requests: what to ask every signature; an array is fed to each of a signature's inputs, a dict
        to the inputs that it names.
    """

    build: Callable[[str], str]
    requests: tuple[Request, ...]


MODELS: dict[str, Model] = {}


def model(*requests: Request) -> Callable:
    """Lists the decorated build function in MODELS."""
    def register(build: Callable[[str], str]) -> Callable[[str], str]:
        assert build.__name__ not in MODELS, build.__name__
        MODELS[build.__name__] = Model(lambda directory: _seeded(build, directory), requests)
        return build
    return register


def _seeded(build: Callable[[str], str], directory: str) -> str:
    """The model, of the same initial weights each time: Keras draws its seeds from Python's `random`."""
    before = random.getstate()
    random.seed(7)
    try:
        return build(directory)
    finally:
        random.setstate(before)


def texts(*values: str) -> np.ndarray:
    """A batch of strings; no values make the empty batch."""
    return np.array([v.encode() for v in values], object)


def examples(*features: dict) -> np.ndarray:
    """A batch of serialized tf.train.Examples."""
    return np.array([example(**f) for f in features], object)


def example(**features: Any) -> bytes:
    """One serialized tf.train.Example; a feature's type is its first value's, [] has none."""
    result = tf.train.Example()
    for key, values in features.items():
        feature = result.features.feature[key]
        if not values:
            continue
        if isinstance(values[0], str):
            feature.bytes_list.value.extend([v.encode() for v in values])
        elif isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return result.SerializeToString()


def config(directory: str) -> tf.estimator.RunConfig:
    """Deterministic, and nothing written that an export does not need."""
    return tf.estimator.RunConfig(
        os.path.join(directory, "model"), tf_random_seed=7, save_summary_steps=None,
        save_checkpoints_secs=None, save_checkpoints_steps=None, log_step_count_steps=None,
        session_config=session_options())


def inputs(features: dict, labels: Any) -> Callable[[], tf.data.Dataset]:
    """An input_fn that repeats one batch."""
    return lambda: tf.data.Dataset.from_tensors((features, labels)).repeat()


def export(directory: str, estimator: Any, train: Callable, receiver: Callable, *, steps: int = 2,
           **options: Any) -> str:
    """Trains a few steps, exports, returns the version's path."""
    train_model(estimator, train, steps=steps)
    path = estimator.export_saved_model(os.path.join(directory, "export"), receiver, **options)
    return tf.compat.as_str(path)


def train_model(estimator: Any, train: Callable, *, steps: int = 2) -> None:
    """Trains, and writes one checkpoint at the end: the Estimator's own hook takes as long again."""
    own = estimator.config.save_checkpoints_steps is None
    estimator.train(train, steps=steps, hooks=[_SaveAtEnd(estimator.model_dir)] if own else [])


class _SaveAtEnd(tf.estimator.SessionRunHook):
    def __init__(self, directory: str):
        self.directory = directory

    def end(self, session: Any) -> None:
        saver = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.SAVERS)[0]
        os.makedirs(self.directory, exist_ok=True)
        saver.save(session, os.path.join(self.directory, "model.ckpt"), write_meta_graph=False)


def export_parsing(directory: str, estimator: Any, train: Callable, columns: list,
                   **options: Any) -> str:
    """As `export`, with a receiver that parses tf.train.Examples of the columns' features."""
    spec = tf.feature_column.make_parse_example_spec(columns)
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(spec)
    return export(directory, estimator, train, receiver, **options)


def raw_receiver(**shapes: Any) -> Callable:
    """A receiver of raw placeholders, `name=(dtype, shape)`."""
    def receiver() -> Any:
        features = {key: tf.compat.v1.placeholder(dtype, shape, key)
                    for key, (dtype, shape) in shapes.items()}
        return tf.estimator.export.build_raw_serving_input_receiver_fn(features)()
    return receiver


def training_spec(mode: str, loss: tf.Tensor) -> tf.estimator.EstimatorSpec:
    """The spec of a custom model_fn for TRAIN and EVAL; Adam, so that the checkpoint has slots."""
    step = tf.compat.v1.train.AdamOptimizer(0.05).minimize(
        loss, global_step=tf.compat.v1.train.get_global_step())
    updates = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.UPDATE_OPS)
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=tf.group(step, *updates))


def predict_spec(outputs: dict, **more: Any) -> tf.estimator.EstimatorSpec:
    """The spec for PREDICT with one signature, or several when `more` names their export outputs."""
    served = {"serving_default": tf.estimator.export.PredictOutput(outputs), **more}
    return tf.estimator.EstimatorSpec(tf.estimator.ModeKeys.PREDICT, predictions=outputs,
                                      export_outputs=served)


def is_predict(mode: str) -> bool:
    return mode == tf.estimator.ModeKeys.PREDICT
