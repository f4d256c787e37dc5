"""The servables that are mutated: small, and between them everything that a graph can have."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.by_hand import servable, variable
from tests.support.old_control_flow import old_control_flow
from tests.support.training import export, requests

v1 = tf.compat.v1


def make_originals(folder: Path) -> None:
    """Writes `<folder>/<name>/1`, a servable, and `<folder>/<name>/requests.json` for each of them."""
    for name, (network, asked) in NETWORKS.items():
        _keep(servable(folder / f"{name}-made", network), folder / name, asked)
    _keep(export(folder / "classifier-made"), folder / "classifier",
          [request.decode("latin-1") for request in requests()])


def _keep(made: str, folder: Path, asked: Any) -> None:
    shutil.copytree(made, folder / "1")
    shutil.rmtree(folder.parent / f"{folder.name}-made")
    (folder / "requests.json").write_text(json.dumps(asked), encoding="utf-8")


def _placeholder() -> Any:
    return v1.placeholder(tf.float32, [None, 4], "x")


def layers() -> Any:
    """Dense layers, a normalisation, a convolution."""
    x = _placeholder()
    rng = np.random.default_rng(1)
    hidden = tf.nn.relu(tf.matmul(x, variable("kernel", rng.normal(size=(4, 300)).astype(np.float32))))
    hidden = hidden * variable("gamma", np.ones(300, np.float32)) + tf.constant(0.5)
    image = tf.reshape(hidden, [-1, 10, 10, 3])
    image = tf.nn.conv2d(image, variable("filter", np.ones((3, 3, 3, 2), np.float32)), 1, "SAME")
    image = tf.nn.bias_add(image, variable("bias", np.ones(2, np.float32)))
    return {"x": x}, {"y": tf.reduce_sum(image, [1, 2]), "hidden": hidden[:, :3]}


def lookups() -> Any:
    """A partitioned table, a table in variables/, sparse sums, a hash, a vocabulary."""
    x = _placeholder()
    rng = np.random.default_rng(2)
    ids = tf.cast(tf.abs(x), tf.int64) % 2000
    table = variable("table", rng.normal(size=(2000, 40)).astype(np.float32))
    parts = v1.get_variable("parts", [40, 8], initializer=v1.zeros_initializer(),
                            partitioner=v1.fixed_size_partitioner(3))
    words = tf.strings.as_string(ids)
    sparse = tf.sparse.from_dense(tf.strings.to_hash_bucket_fast(words, 40))
    summed = v1.nn.embedding_lookup_sparse(list(parts), sparse, None, combiner="mean")
    keys = tf.lookup.KeyValueTensorInitializer(["0", "1"], tf.constant([0, 1], tf.int64))
    known = tf.lookup.StaticHashTable(keys, -1).lookup(words)
    return {"x": x}, {"rows": tf.nn.embedding_lookup(table, ids), "summed": summed, "known": known}


def control_flow() -> Any:
    """A loop and a branch as TensorFlow 1 builds them, and functions: called, in a loop, in a branch."""
    x = _placeholder()
    with old_control_flow():
        old = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 2.0), (0, x))[1]
        old = tf.cond(tf.reduce_sum(x) > 0, lambda: old + 1.0, lambda: old - 1.0)
    kernel = variable("kernel", np.eye(4, dtype=np.float32))

    @tf.function
    def called(a: Any) -> Any:
        return tf.nn.relu(tf.matmul(a, kernel)) + 1.0
    new = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, called(a)), (0, x))[1]
    new = tf.cond(tf.reduce_sum(x) > 0, lambda: new + 1.0, lambda: new - kernel[0])
    return {"x": x}, {"old": old, "new": new, "called": called(x), "constant": tf.constant([b"v1"])}


_X = [[1.0, -2.0, 3.0, 0.0], [7.0, 50.0, 1e4, -1.0]]
NETWORKS = {"layers": (layers, [_X, [], [[0.0]]]), "lookups": (lookups, [_X, _X[:1]]),
            "control_flow": (control_flow, [_X, _X[:1]])}
