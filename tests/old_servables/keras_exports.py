"""Keras in TensorFlow 1.15: in an Estimator, and its own ways to export."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.old_servables.fixture import batch, config, export, fixture, texts

_IDS = np.array([[1, 2, 3], [4, 5, 63], [0, 0, 7]])
_LABELS = np.array([0, 1, 2])
_ASKED = (_IDS.astype(np.float32), np.zeros((0, 3), np.float32), np.array([[1, 2, 64]], np.float32))


def _model(inner: tf.keras.layers.Layer) -> tf.keras.Model:
    """Reads ids as floats, as Keras' embedding does by default."""
    layers = tf.keras.layers
    model = tf.keras.Sequential([layers.Embedding(64, 4, input_length=3), inner,
                                 layers.BatchNormalization(), layers.Dense(3, activation="softmax")])
    model.compile(tf.keras.optimizers.Adam(), "sparse_categorical_crossentropy")
    return model


def _trained() -> tf.keras.Model:
    model = _model(tf.keras.layers.GlobalMaxPooling1D())
    model.fit(_IDS, _LABELS, epochs=2, verbose=0)
    return model


@fixture({"words": texts("turn", "on").reshape(1, 2)},
         {"words": texts("", "a", "jazz", "").reshape(2, 2)})
def model_to_estimator(directory: str) -> Any:
    """Checkpoint keys are object paths."""
    model = _model(tf.keras.layers.GRU(4))
    estimator = tf.keras.estimator.model_to_estimator(model, config=config(directory))
    name = model.input_names[0]

    def receiver() -> Any:
        words = tf.placeholder(tf.string, [None, 2], "words")
        ids = tf.pad(tf.string_to_hash_bucket_fast(words, 64), [[0, 0], [0, 1]])
        return tf.estimator.export.ServingInputReceiver({name: ids}, {"words": words})
    return export(directory, estimator, batch({name: _IDS}, _LABELS), receiver)


@fixture(*_ASKED)
def keras_export_saved_model(directory: str) -> str:
    """MetaGraphs for training, evaluation and serving; a file in assets/ that no MetaGraph names."""
    tf.keras.experimental.export_saved_model(_trained(), f"{directory}/export")
    return f"{directory}/export"


@fixture(*_ASKED)
def keras_save(directory: str) -> str:
    """The object-based form, with functions, as 1.15 already wrote it."""
    _trained().save(f"{directory}/export", save_format="tf")
    return f"{directory}/export"


@fixture(np.linspace(0, 1, 72, dtype=np.float32).reshape(2, 6, 6, 1), np.ones((1, 6, 6, 1), np.float32))
def keras_simple_save(directory: str) -> str:
    """With its training graph, for whose gradients TensorFlow now infers other shapes than recorded."""
    layers = tf.keras.layers
    model = tf.keras.Sequential([layers.Conv2D(4, 3, input_shape=(6, 6, 1)), layers.BatchNormalization(),
                                 layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(3)])
    model.compile("sgd", "mse")
    images = np.random.RandomState(3).rand(8, 6, 6, 1)
    model.fit(images, np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]], verbose=0)
    tf.saved_model.simple_save(tf.keras.backend.get_session(), f"{directory}/export",
                               {"images": model.input}, {"scores": model.output})
    return f"{directory}/export"
