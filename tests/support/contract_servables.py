"""Small servables of every kind for the contract suite; each is quick to build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.by_hand import servable, v1, variable
from tests.support.models import MODELS
from tests.support.models.zoo import texts
from tests.support.old_control_flow import old_control_flow

_RANDOM = np.random.default_rng(6)
X = _RANDOM.normal(size=(3, 4)).astype(np.float32)
IMAGE = _RANDOM.normal(size=(1, 8, 8, 3)).astype(np.float32)


def _normal(name: str, *shape: int) -> Any:
    return variable(name, _RANDOM.normal(size=shape).astype(np.float32))


def _placeholder() -> Any:
    return v1.placeholder(tf.float32, [None, 4], "x")


def _nothing(folder: Path) -> Any:
    """The input, and its negative: no transform has anything to do here."""
    x = _placeholder()
    return {"x": x}, {"same": x, "y": tf.negative(x, "negative")}


def _layers(folder: Path) -> Any:
    """Layers, a normalisation, an Assert, an output of several ports, constants to fold and to merge."""
    x = _placeholder()
    with tf.control_dependencies([v1.assert_less(x, 50.0)]):
        checked = tf.identity(x)
    hidden = tf.nn.relu(tf.matmul(checked, _normal("kernel", 4, 8)) + tf.exp([0.5] * 8))
    normal = hidden * tf.constant([0.5] * 8) + tf.constant([0.25] * 8)
    y = tf.matmul(normal, _normal("last", 8, 3))
    best = tf.math.top_k(tf.concat([y, tf.nn.relu(y)], 1), 2)
    return {"x": x}, {"y": tf.identity(tf.debugging.check_numerics(y, "y"), "answer"),
                      "best": best.values, "which": best.indices,
                      "sum": tf.reduce_sum(y, -1) * (tf.constant(2.0) + 1.0)}


def _words(folder: Path) -> Any:
    """An asset, two lookup tables, a table that is mostly zeros and one that is not."""
    path = folder / "words.txt"
    path.write_text("turn\non\n", encoding="utf-8")
    words = v1.placeholder(tf.string, [None], "x")
    ids = v1.lookup.StaticHashTable(tf.lookup.TextFileInitializer(
        str(path), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER), 2).lookup(words)
    spelt = v1.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(
        tf.constant([0, 1], tf.int64), ["TURN", "ON"]), "?").lookup(ids)
    zeros = np.zeros((20_000, 4), np.float32)
    zeros[1:3] = 7.0
    rows = tf.gather(variable("sparse", zeros), ids) + tf.gather(_normal("dense", 20_000, 4), ids)
    return {"x": words}, {"ids": ids, "names": spelt, "rows": tf.identity(rows, "answer")}


def _image(folder: Path) -> Any:
    """One image: a dilated, a padded and a resized convolution, normalised."""
    x = v1.placeholder(tf.float32, [1, 8, 8, 3], "x")
    dilated = tf.nn.atrous_conv2d(x, _normal("dilated", 3, 3, 3, 4), 2, "SAME")
    scale, offset, mean, variance = (tf.constant([n] * 4) for n in (1.5, 0.25, 0.5, 2.0))
    normal = v1.nn.fused_batch_norm(dilated, scale, offset, mean, variance, is_training=False)[0]
    padded = tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT"),
                          _normal("padded", 3, 3, 3, 4), 1, "VALID")
    large = tf.nn.conv2d(tf.raw_ops.ResizeBilinear(images=x, size=[10, 10]),
                         _normal("resized", 3, 3, 3, 4), 1, "VALID")
    both = tf.raw_ops.ResizeBilinear(images=x, size=[8, 8])
    both = tf.nn.conv2d(tf.pad(both, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC"),
                        _normal("both", 3, 3, 3, 4), 1, "VALID")
    return {"x": x}, {"y": tf.identity(tf.concat([normal, padded, large, both], -1), "answer")}


def _loops(folder: Path) -> Any:
    """A loop and a branch that call functions, with what there is to edit inside of them."""
    x = _placeholder()
    kernel = _normal("kernel", 4, 4) * 0.5

    @tf.function
    def layer(a: Any) -> Any:
        return tf.nn.relu(tf.matmul(tf.identity(a), kernel)) + tf.constant(1.0) * tf.constant(2.0)

    y = tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, layer(v)), [0, x])[1]
    sign = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.concat([y, x], 1), lambda: tf.concat([x, y], 1))
    return {"x": x}, {"y": tf.identity(y, "answer"), "sign": sign}


@old_control_flow()
def _old_loops(folder: Path) -> Any:
    """As TensorFlow 1.x built them, with a tensor array."""
    x = _placeholder()
    kernel = _normal("kernel", 4, 4) * 0.5
    array = v1.while_loop(
        lambda i, _: i < 3,
        lambda i, a: (i + 1, a.write(i, tf.nn.relu(tf.matmul(x, kernel)) * tf.constant(0.5))),
        [0, tf.TensorArray(tf.float32, 3)])[1]
    sign = v1.cond(tf.reduce_sum(x) > 0, lambda: x * tf.constant(2.0), lambda: tf.constant(-1.0) * x)
    with tf.control_dependencies([v1.assert_less(x, 50.0)]):
        y = tf.identity(sign, "answer")
    return {"x": x}, {"all": array.stack(), "y": y}


def _counts(folder: Path) -> Any:
    """A variable that requests change, and two signatures, one fed in mid-graph."""
    x = _placeholder()
    count = v1.get_variable("count", initializer=40.0, use_resource=True)
    with tf.control_dependencies([count.assign_add(1.0)]):
        now = count.read_value()
    middle = tf.identity(tf.matmul(x, _normal("kernel", 4, 4)), "middle")
    y = tf.identity(tf.nn.relu6(middle) + 1.0, "answer")
    return {"serving_default": ({"x": x}, {"y": y, "count": now}), "middle": ({"m": middle}, {"y": y})}


@dataclass(frozen=True)
class Fixture:
    """A servable to try transforms on.

    Attributes:
      build: `build(folder)` → its directory.
      requests: what to ask it.
    """

    build: Callable[[Path], str]
    requests: tuple[Any, ...]


def _by_hand(network: Callable[[Path], Any], *requests: Any) -> Fixture:
    return Fixture(lambda folder: servable(folder, lambda: network(folder)), requests)


def _of_zoo(name: str) -> Fixture:
    return Fixture(lambda folder: MODELS[name].build(str(folder)), MODELS[name].requests)


_NUMBERS = ({"x": X, "m": X}, {"x": -X[:1], "m": X[:0]})
FIXTURES = {
    "nothing": _by_hand(_nothing, *_NUMBERS),
    "layers": _by_hand(_layers, *_NUMBERS),
    "words": _by_hand(_words, {"x": texts("on", "new", "turn")}, {"x": texts()}),
    "image": _by_hand(_image, {"x": IMAGE}),
    "loops": _by_hand(_loops, *_NUMBERS[:1]),
    "old_loops": _by_hand(_old_loops, *_NUMBERS[:1]),
    "counts": _by_hand(_counts, *_NUMBERS, *_NUMBERS),
    "dnn_v1_hash_mean": _of_zoo("dnn_v1_hash_mean"),
    "linear_classifier_v1": _of_zoo("linear_classifier_v1"),
}
