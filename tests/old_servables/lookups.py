"""Custom model functions of 2017 to 2020: lookups in variables by reference, and lookup tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.contrib import lookup
from tensorflow.python.ops import gen_array_ops, gen_lookup_ops

from tests.old_servables.fixture import (
    WORDS,
    batch,
    config,
    export,
    fixture,
    raw_receiver,
    simple_save,
    texts,
    words_file,
)

_IDS = np.array([[1, 2, 3], [40, 50, 63], [7, 7, 0]], np.int64)
_LABELS = np.array([0, 1, 2])
_ASKED = ({"ids": _IDS}, {"ids": _IDS[:1]}, {"ids": _IDS[:0]}, {"ids": np.array([[1, 2, 64]])},
          {"ids": np.array([[0, -1, 2]])})
_SENTENCES = texts("turn on the light", "play some jazz", "what's on in the kitchen?")
_ASKED_TEXT = (_SENTENCES, texts("Turn OFF, now!", "", "jazz"), texts())


def custom(directory: str, network: Callable, features: dict, receiver: Callable) -> Any:
    """Exports a classifier of three classes whose logits (and other outputs) `network` makes."""
    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        logits, more = network(features)
        outputs = dict(more, probabilities=tf.nn.softmax(logits), class_ids=tf.argmax(logits, 1))
        if mode == tf.estimator.ModeKeys.PREDICT:
            return tf.estimator.EstimatorSpec(mode, outputs, export_outputs={
                "intents": tf.estimator.export.PredictOutput(outputs),
                "serving_default": tf.estimator.export.ClassificationOutput(
                    outputs["probabilities"])})
        loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
        step = tf.train.AdamOptimizer(0.05).minimize(loss, tf.train.get_global_step())
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=step)

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    return export(directory, estimator, batch(features, _LABELS), receiver)


def _of_ids(directory: str, network: Callable) -> Any:
    return custom(directory, lambda features: (network(features["ids"]), {}), {"ids": _IDS},
                  raw_receiver(ids=(tf.int64, [None, 3])))


def _of_text(directory: str, network: Callable) -> Any:
    return custom(directory, lambda features: network(features["text"]), {"text": _SENTENCES},
                  raw_receiver(text=(tf.string, [None])))


def _parts(name: str, count: int, rows: int = 64) -> Any:
    return tf.get_variable(name, [rows, 4], partitioner=tf.fixed_size_partitioner(count),
                           initializer=tf.random_normal_initializer())


@fixture(*_ASKED)
def lookups_mod_and_div(directory: str) -> Any:
    """One table in three parts, ids dealt out both ways; another in a list of variables."""
    def network(ids: tf.Tensor) -> tf.Tensor:
        table = _parts("table", 3)
        listed = [tf.get_variable(f"shard_{n}", [32, 4]) for n in range(2)]
        rows = [tf.nn.embedding_lookup(table, ids, "mod"), tf.nn.embedding_lookup(table, ids, "div"),
                tf.nn.embedding_lookup(listed, ids, max_norm=0.5)]
        return tf.layers.dense(tf.reduce_mean(tf.concat(rows, 2), 1), 3)
    return _of_ids(directory, network)


@fixture(*_ASKED)
def lookups_gather(directory: str) -> Any:
    """The old op Gather, GatherV2 and GatherNd, in variables by reference."""
    def network(ids: tf.Tensor) -> tf.Tensor:
        table = tf.get_variable("table", [64, 4], use_resource=False)
        other = tf.get_variable("other", [4, 64])
        rows = gen_array_ops.gather(table, ids, validate_indices=True)
        more = tf.transpose(tf.gather(other, ids[:, 0], axis=1)) + tf.gather_nd(table, ids[:, 1:2])
        return tf.layers.dense(tf.concat([tf.reduce_sum(rows, 1), more], 1), 3)
    return _of_ids(directory, network)


_SPARSE = tf.SparseTensorValue([[0, 0], [0, 1], [2, 0], [3, 1]], np.array([5, 63, 0, 2]), [4, 2])
_WEIGHTS = tf.SparseTensorValue(_SPARSE.indices, np.array([1, 0.5, 2, 0], np.float32), [4, 2])


@fixture({"ids": _SPARSE, "weights": _WEIGHTS},
         {"ids": tf.SparseTensorValue([[0, 0]], np.array([64]), [1, 1]),
          "weights": tf.SparseTensorValue([[0, 0]], np.array([1], np.float32), [1, 1])})
def lookups_sparse(directory: str) -> Any:
    """Sparse inputs by simple_save: embedding_lookup_sparse with each combiner, safe and not."""
    ids = tf.sparse_placeholder(tf.int64, [None, None], "ids")
    weights = tf.sparse_placeholder(tf.float32, [None, None], "weights")
    table = _parts("table", 2)
    sums = [tf.nn.embedding_lookup_sparse(table, ids, weights, combiner=combiner)
            for combiner in ("sum", "mean", "sqrtn")]
    safe = tf.nn.safe_embedding_lookup_sparse(_parts("other", 2), ids, weights, combiner="mean")
    return simple_save(directory, {"ids": ids, "weights": weights},
                       {"sums": tf.concat(sums, 1), "safe": safe})


@fixture(*_ASKED_TEXT)
def tables_of_contrib(directory: str) -> Any:
    """A vocabulary file in an asset, a list with buckets for others, and ids back to words."""
    path = words_file(directory)

    def network(text: tf.Tensor) -> tuple:
        clean = tf.regex_replace(text, "[^A-Za-z ]", "")
        words = tf.string_split(clean)
        known = lookup.index_table_from_file(path, num_oov_buckets=4)
        listed = lookup.index_table_from_tensor(tf.constant(WORDS), default_value=len(WORDS))
        back = lookup.index_to_string_table_from_file(path, default_value="<unknown>")
        ids = known.lookup(words)
        lengths = tf.sparse.to_dense(tf.SparseTensor(
            words.indices, tf.ones_like(words.values, tf.float32), words.dense_shape))
        bag = tf.nn.safe_embedding_lookup_sparse([_parts("table", 1, 14)], ids, combiner="sum")
        first = tf.sparse.to_dense(listed.lookup(words), default_value=len(WORDS))
        extra = tf.nn.embedding_lookup(tf.get_variable("list", [11, 4]), first)
        logits = tf.layers.dense(tf.concat([bag, tf.reduce_sum(extra, 1)], 1), 3)
        return logits, {"words": tf.sparse.to_dense(back.lookup(ids), default_value=""),
                        "length": tf.reduce_sum(lengths, 1)}
    return _of_text(directory, network)


@fixture(*_ASKED_TEXT)
def tables_by_reference(directory: str) -> Any:
    """HashTable by reference, as exports of 2016 and 2017 have it; one from a list, one from a file."""
    path = words_file(directory)

    def network(text: tf.Tensor) -> tuple:
        table = gen_lookup_ops.hash_table(tf.string, tf.int64, shared_name="words")
        back = gen_lookup_ops.hash_table(tf.int64, tf.string, shared_name="back")
        asset = tf.constant(path, name="words_file")
        tf.add_to_collection(tf.GraphKeys.ASSET_FILEPATHS, asset)
        for initializer in (
                gen_lookup_ops.initialize_table(table, WORDS, np.arange(len(WORDS))),
                gen_lookup_ops.initialize_table_from_text_file(back, asset, -1, -2, len(WORDS))):
            tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, initializer)
        words = tf.string_split(text, " ")
        ids = gen_lookup_ops.lookup_table_find(table, words.values, tf.constant(-1, tf.int64))
        ids.set_shape([None])
        rows = tf.gather(_parts("table", 1, 11), ids + 1)
        sums = tf.unsorted_segment_sum(rows, words.indices[:, 0], tf.size(text))
        known = gen_lookup_ops.lookup_table_find(back, ids, tf.constant(b"<unknown>"))
        return tf.layers.dense(tf.reshape(sums, [-1, 4]), 3), {"ids": ids, "words": known}
    return _of_text(directory, network)


@fixture({"word": texts("turn", "jazz", "cello")}, {"word": texts()})
def tables_in_the_checkpoint(directory: str) -> Any:
    """Mutable tables, whose entries are in the checkpoint; by simple_save."""
    word = tf.placeholder(tf.string, [None], "word")
    counts = lookup.MutableHashTable(tf.string, tf.int64, -1, name="counts")
    prices = lookup.MutableDenseHashTable(tf.int64, tf.float32, 0.5, empty_key=-2, deleted_key=-3,
                                          initial_num_buckets=8, name="prices")
    found = counts.lookup(word)
    scale = tf.get_variable("scale", [], initializer=tf.constant_initializer(3.0))
    outputs = {"count": found, "price": prices.lookup(found) * scale}
    path = f"{directory}/export"
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(counts.insert(tf.constant(["turn", "jazz"]), tf.constant([7, 9], tf.int64)))
        session.run(prices.insert(tf.constant([7, 9], tf.int64), tf.constant([1.25, 0.75])))
        tf.saved_model.simple_save(session, path, {"word": word}, outputs)
    return path
