"""Slim servables that err only at an edge of what may be asked: made-up questions find them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Verification
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import allowed_by, transform_list
from estimator_slim.verify.answers.asking import Job, ask_here
from estimator_slim.verify.comparison.judging import compare
from estimator_slim.verify.questions.made_up import made_up_requests
from tests.support.by_hand import servable, v1, variable

WORDS = [f"word{n}".encode() for n in range(3000)]
ROWS = np.random.default_rng(5).normal(size=(3000, 4)).astype(np.float32)
Where = Callable[[dict], tf.Tensor]

# An edge → the rows [batch] of the features in which an answer is wrong.
EDGES: dict[str, Where] = {
    "the number is NaN": lambda f: tf.math.is_nan(f["imputed"]),
    "the number is infinite": lambda f: tf.math.is_inf(f["number"]),
    "the number is minus infinity": lambda f: tf.equal(f["number"], -np.inf),
    "the number is 0": lambda f: tf.equal(f["number"], 0.0),
    "the id is the padding": lambda f: tf.equal(f["id"], -1),
    "the id is the first": lambda f: tf.equal(f["id"], 0),
    "the id is the last": lambda f: tf.equal(f["id"], 2999),
    "the first word": lambda f: anywhere(f, tf.equal(f["words"].values, WORDS[0])),
    "the last word": lambda f: anywhere(f, tf.equal(f["words"].values, WORDS[-1])),
    "a count of thousands": lambda f: (f["time"] > 2000) & (f["time"] < 10_000),
    "a time in seconds": lambda f: f["time"] > 10**9,
    "7 words": lambda f: tf.equal(tf.math.bincount(tf.cast(f["words"].indices[:, 0], tf.int32),
                                                   minlength=tf.size(f["id"])), 7),
    "100 words": lambda f: tf.fill([tf.size(f["id"])],
                                   (f["words"].dense_shape[1] > 99) & (f["words"].dense_shape[1] < 150)),
}


def anywhere(features: dict, words: tf.Tensor) -> tf.Tensor:
    """The rows that have one of these words."""
    rows = tf.boolean_mask(features["words"].indices[:, :1], words)
    return tf.scatter_nd(rows, tf.ones_like(rows[:, 0]), tf.shape(features["id"], tf.int64)) > 0


def network(wrong: Where | None = None) -> Callable[[], Any]:
    def made() -> tuple[dict, dict]:
        examples = v1.placeholder(tf.string, [None], "examples")
        f = tf.io.parse_example(examples, {
            "words": tf.io.VarLenFeature(tf.string),
            **{key: tf.io.FixedLenFeature([], tf.float32, 0.0) for key in ("number", "imputed")},
            **{key: tf.io.FixedLenFeature([], tf.int64, 1) for key in ("id", "time")}})
        table = variable("table", ROWS)
        known = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(
            WORDS, np.arange(len(WORDS)), value_dtype=tf.int64), 0)
        ids = tf.SparseTensor(f["words"].indices, known.lookup(f["words"].values),
                              f["words"].dense_shape)
        imputed = tf.where(tf.math.is_nan(f["imputed"]), tf.zeros_like(f["imputed"]), f["imputed"])
        hidden = (tf.gather(table, tf.maximum(f["id"], 0))
                  + tf.nn.safe_embedding_lookup_sparse(table, ids)
                  + tf.nn.relu(imputed)[:, None] + tf.tanh(f["number"])[:, None]
                  + tf.tanh(tf.cast(f["time"], tf.float32))[:, None])
        if wrong is not None:
            hidden = tf.where(wrong(f)[:, None], -hidden - 1.0, hidden)
        return {"examples": examples}, {"value": hidden}
    return made


def compared(original: str, other: str, transforms: str) -> Verification:
    requests = made_up_requests(read_servable(original))
    heard = ask_here([Job(directory, requests, grappler=False) for directory in (original, other)])
    return compare(requests, *heard, allowed_by(transform_list(transforms)))


@pytest.fixture(scope="module")
def original(tmp_path_factory: Any) -> str:
    return servable(tmp_path_factory.mktemp("edges"), network())


def test_a_twin_passes(original: str, tmp_path: Path) -> None:
    found = compared(original, servable(tmp_path, network()), "fold_constants")
    assert found.passed
    assert found.unverified == ()


@pytest.mark.parametrize("edge", EDGES)
def test_what_errs_only_there_is_caught(edge: str, original: str, tmp_path: Path) -> None:
    found = compared(original, servable(tmp_path, network(EDGES[edge])), "fold_constants")
    assert not found.passed


def test_a_lossy_list_is_held_to_what_becomes_of_nan(original: str, tmp_path: Path) -> None:
    broken = servable(tmp_path, network(EDGES["the number is NaN"]))
    assert not compared(original, broken, "quantize_weights").passed


def counting() -> tuple[dict, dict]:
    lengths = v1.placeholder(tf.int64, [None], "lengths")
    price = v1.placeholder(tf.int64, [None], "price")
    return {"lengths": lengths, "price": price}, {
        "mask": tf.sequence_mask(lengths), "dear": tf.cast(price, tf.float32) * 2}


def test_only_what_becomes_a_number_is_large(tmp_path: Path) -> None:
    requests = made_up_requests(read_servable(servable(tmp_path, counting)))
    assert max(np.max(r.inputs["price"], initial=0) for r in requests) > 10**9
    assert max(np.max(r.inputs["lengths"], initial=0) for r in requests) < 10**4


def halved() -> tuple[dict, dict]:
    number = v1.placeholder(tf.float32, [None], "number")
    return {"number": number}, {"value": tf.nn.relu(number)}


def test_nan_is_not_asked_where_kernels_differ_in_what_comes_of_it(tmp_path: Path) -> None:
    requests = made_up_requests(read_servable(servable(tmp_path, halved)))
    assert all(np.isfinite(r.inputs["number"]).all() for r in requests)
