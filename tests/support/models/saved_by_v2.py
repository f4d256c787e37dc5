"""What tf.saved_model.save writes: signatures that are function calls, variables restored in one."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.models.zoo import model, texts

_WORDS = ["play", "stop", "louder", "quieter", "next"]
_IMAGES = np.linspace(-1, 1, 2 * 8 * 8 * 3, dtype=np.float32).reshape(2, 8, 8, 3)


class _Intents(tf.Module):
    """A table filled from an asset, an embedding, a nested call, and a check of what is fed."""

    def __init__(self, vocabulary: str):
        super().__init__()
        self.table = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(
            vocabulary, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER), default_value=len(_WORDS))
        rows = np.random.RandomState(1).randn(400, 8).astype(np.float32)
        self.rows = tf.Variable(rows)
        self.kernel = tf.Variable(rows[:8, :3])

    @tf.function
    def embedded(self, words: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.rows, self.table.lookup(words))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, words: tf.Tensor) -> dict:
        tf.debugging.assert_none_equal(words, "forbidden")
        logits = tf.matmul(self.embedded(words), self.kernel)
        return {"value": tf.nn.softmax(logits), "text": tf.gather(_WORDS, tf.argmax(logits, 1))}


@model(texts("play", "next", "no such word"), texts("play", "forbidden"), texts())
def module_saved_by_v2(directory: str) -> str:
    """A tf.Module with a vocabulary file that is deleted once it was saved."""
    vocabulary = os.path.join(directory, "vocabulary.txt")
    with open(vocabulary, "w", encoding="utf-8") as file:
        file.write("\n".join(_WORDS) + "\n")
    module = _Intents(vocabulary)
    path = _saved(directory, module, module.serve)
    os.remove(vocabulary)
    return path


@model(texts("play stop", "next", "no such word at all"), texts(""))
def keras_text_saved_by_v2(directory: str) -> str:
    """Keras: a vectorizer, an embedding, an LSTM, a normalisation."""
    layers = tf.keras.layers
    vectorize = layers.TextVectorization(output_sequence_length=4, vocabulary=_WORDS)
    inputs = layers.Input([], dtype=tf.string)
    hidden = layers.LSTM(6)(layers.Embedding(200, 8)(vectorize(inputs)))
    outputs = layers.Dense(3, activation="softmax")(layers.BatchNormalization()(hidden))
    return _saved(directory, tf.keras.Model(inputs, {"value": outputs}))


@model(_IMAGES, _IMAGES[:1])
def keras_images_saved_by_v2(directory: str) -> str:
    """Keras: convolutions with a normalisation and dropout."""
    layers = tf.keras.layers
    inputs = layers.Input([8, 8, 3])
    hidden = layers.BatchNormalization()(layers.Conv2D(6, 3, use_bias=False)(inputs))
    hidden = layers.Dropout(0.5)(layers.ReLU()(hidden))
    outputs = layers.Dense(4)(layers.GlobalAveragePooling2D()(hidden))
    return _saved(directory, tf.keras.Model(inputs, {"value": outputs}))


def _saved(directory: str, module: Any, serve: Any = None) -> str:
    path = os.path.join(directory, "export", "1")
    tf.saved_model.save(module, path, signatures=serve)
    return path
