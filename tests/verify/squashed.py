"""Networks whose probabilities jump where scores move a little, as made-up questions make them.

Weights are drawn and not trained; `gain` makes the scores as large as training does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.by_hand import v1, variable

Made = tuple[dict, dict]


class Weights:
    """Draws variables one after the other, which keep the scale of what they are multiplied with."""

    def __init__(self, seed: int) -> None:
        self.random, self.count = np.random.default_rng(seed), 0

    def __call__(self, *shape: int, scale: float = 1.0) -> Any:
        self.count += 1
        values = self.random.normal(size=shape) * scale / np.sqrt(np.prod(shape[:-1]))
        return variable(f"weight{self.count}", values.astype(np.float32))

    def dense(self, x: Any, units: int, scale: float = 1.0) -> Any:
        return tf.matmul(x, self(int(x.shape[-1]), units, scale=scale))


def dense(gain: float) -> Made:
    """4,000 inputs, two hidden layers, five classes."""
    weights, x = Weights(1), v1.placeholder(tf.float32, [None, 4000], "x")
    hidden = tf.nn.relu(weights.dense(tf.nn.relu(weights.dense(x, 64)), 32))
    return {"x": x}, {"probabilities": tf.nn.softmax(weights.dense(hidden, 5, gain))}


def labels(gain: float) -> Made:
    """Twenty labels, each with its sigmoid."""
    weights, x = Weights(2), v1.placeholder(tf.float32, [None, 1500], "x")
    hidden = tf.nn.elu(weights.dense(x, 64))
    return {"x": x}, {"probabilities": tf.sigmoid(weights.dense(hidden, 20, gain))}


def images(gain: float) -> Made:
    """A small CNN of grey images, whose scores are in the thousands for pixels of noise."""
    weights, maps = Weights(3), v1.placeholder(tf.float32, [None, 28, 28, 1], "x")
    inputs = {"x": maps}
    for before, after in ((1, 16), (16, 32)):
        maps = tf.nn.relu(tf.nn.conv2d(maps, weights(3, 3, before, after), 1, "SAME"))
        maps = tf.nn.max_pool2d(maps, 2, 2, "SAME")
    hidden = tf.nn.relu(weights.dense(tf.reshape(maps, [-1, 7 * 7 * 32]), 64))
    return inputs, {"probabilities": tf.nn.softmax(weights.dense(hidden, 10, gain))}


def trained_rows(weights: Weights, count: int, trained: int, width: int) -> Any:
    """A table of which some rows were trained, and the others are as they were drawn at first."""
    rows = weights.random.normal(size=(count, width)) * 0.05
    rows[:trained] *= 20
    return variable("table", rows.astype(np.float32))


def words(gain: float) -> Made:
    """An LSTM over an embedding of 2,000 rows, 400 of them trained."""
    weights, ids = Weights(4), v1.placeholder(tf.int64, [None, None], "ids")
    rows = tf.gather(trained_rows(weights, 2000, 400, 32), ids)
    cell = v1.nn.rnn_cell.LSTMCell(48, initializer=v1.random_uniform_initializer(-0.4, 0.4, seed=4))
    _, state = v1.nn.dynamic_rnn(cell, rows, dtype=tf.float32)
    return {"ids": ids}, {"probabilities": tf.nn.softmax(weights.dense(state.h, 4, gain))}


def tags(gain: float) -> Made:
    """A tag for each word, by what a GRU knows of the words before it."""
    weights, ids = Weights(5), v1.placeholder(tf.int64, [None, None], "ids")
    rows = tf.gather(trained_rows(weights, 3000, 300, 24), ids)
    drawn = v1.random_uniform_initializer(-0.5, 0.5, seed=5)
    cell = v1.nn.rnn_cell.GRUCell(32, kernel_initializer=drawn)
    states, _ = v1.nn.dynamic_rnn(cell, rows, dtype=tf.float32)
    scores = tf.einsum("bth,hc->btc", states, weights(32, 6, scale=gain))
    return {"ids": ids}, {"probabilities": tf.nn.softmax(scores)}


NETWORKS: dict[str, Callable[[float], Made]] = {
    made.__name__: made for made in (dense, labels, images, words, tags)}
