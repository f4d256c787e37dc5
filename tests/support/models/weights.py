"""Weights of every kind: partitioned, tied, reference variables, other types, NaN, large and small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.models.zoo import (
    config,
    export,
    inputs,
    is_predict,
    model,
    predict_spec,
    raw_receiver,
    training_spec,
)

_IDS = np.array([1, 2, 0, 40], np.int64)
_ASKED = ({"ids": _IDS}, {"ids": _IDS[:1]}, {"ids": _IDS[:0]}, {"ids": np.array([39, 38, 37])},
          {"ids": np.array([3001])}, {"ids": np.array([-1])})


def _export(directory: str, network: Callable, steps: int = 2) -> str:
    """Exports what `network(ids)` returns: outputs by name; the sum of `value` is trained on."""
    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        outputs = network(features["ids"])
        if is_predict(mode):
            return predict_spec(outputs)
        return training_spec(mode, tf.reduce_mean(tf.square(tf.cast(outputs["value"], tf.float32)
                                                            - 1.0)))

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    return export(directory, estimator, inputs({"ids": _IDS}, _IDS),
                  raw_receiver(ids=(tf.int64, [None])), steps=steps)


def _variable(name: str, shape: list, dtype: Any = tf.float32, **options: Any) -> Any:
    return tf.compat.v1.get_variable(name, shape, dtype, **options)


def _partitioned(strategy: str, rows: int, **options: Any) -> Callable:
    def network(ids: tf.Tensor) -> dict:
        table = _variable("table", [rows, 8],
                          partitioner=tf.compat.v1.fixed_size_partitioner(3), **options)
        return {"value": tf.compat.v1.nn.embedding_lookup(table, ids, strategy)}
    return network


@model(*_ASKED)
def partitioned_mod_large(directory: str) -> str:
    return _export(directory, _partitioned("mod", 6001))


@model(*_ASKED)
def partitioned_div_large_references(directory: str) -> str:
    return _export(directory, _partitioned("div", 6001, use_resource=False))


@model(*_ASKED)
def partitioned_mod_small_references(directory: str) -> str:
    return _export(directory, _partitioned("mod", 41, use_resource=False))


@model(*_ASKED)
def partitioned_whole(directory: str) -> str:
    """Parts joined to one tensor and multiplied with, as v1 linear models do."""
    def network(ids: tf.Tensor) -> dict:
        kernel = _variable("kernel", [41, 6], partitioner=tf.compat.v1.fixed_size_partitioner(2))
        return {"value": tf.matmul(tf.one_hot(ids, 41), tf.convert_to_tensor(kernel))}
    return _export(directory, network)


@model(*_ASKED)
def tied_table_large(directory: str) -> str:
    """One table looked up and multiplied with."""
    def network(ids: tf.Tensor) -> dict:
        table = _variable("table", [3000, 8])
        rows = tf.nn.embedding_lookup(table, ids)
        return {"value": tf.matmul(rows, table, transpose_b=True), "rows": rows}
    return _export(directory, network)


@model(*_ASKED)
def tied_table_small_references(directory: str) -> str:
    def network(ids: tf.Tensor) -> dict:
        table = _variable("table", [41, 8], use_resource=False)
        rows = tf.gather(table, ids)
        return {"value": tf.matmul(rows, table, transpose_b=True)}
    return _export(directory, network)


@model(*_ASKED)
def reference_variables(directory: str) -> str:
    """What TensorFlow 1.x wrote: VariableV2, read through Identity and by Gather itself."""
    def network(ids: tf.Tensor) -> dict:
        table = _variable("table", [3001, 8], use_resource=False)
        bias = _variable("bias", [8], use_resource=False,
                         initializer=tf.ones_initializer())
        return {"value": tf.gather(table, ids) + bias, "bias": bias._ref()}
    return _export(directory, network)


def _typed(dtype: Any, rows: int) -> Callable:
    def network(ids: tf.Tensor) -> dict:
        table = _variable("table", [rows, 8], dtype,
                          initializer=tf.compat.v1.random_normal_initializer())
        frozen = tf.stop_gradient(tf.gather(table, ids))
        scale = _variable("scale", [])
        return {"value": tf.cast(frozen, tf.float32) * scale, "rows": frozen}
    return network


@model(*_ASKED)
def float64_table_large(directory: str) -> str:
    return _export(directory, _typed(tf.float64, 3000))


@model(*_ASKED)
def float16_table_large(directory: str) -> str:
    def network(ids: tf.Tensor) -> dict:
        table = _variable("table", [5000, 8], tf.float16, trainable=False,
                          initializer=lambda *a, **k: tf.cast(
                              tf.random.normal([5000, 8], seed=5), tf.float16))
        scale = _variable("scale", [])
        rows = tf.gather(table, ids)
        return {"value": tf.cast(rows, tf.float32) * scale, "rows": rows}
    return _export(directory, network)


@model(*_ASKED)
def bfloat16_and_float64_small(directory: str) -> str:
    def network(ids: tf.Tensor) -> dict:
        half = _variable("half", [41, 4], tf.bfloat16, trainable=False,
                         initializer=lambda *a, **k: tf.cast(
                             tf.random.normal([41, 4], seed=5), tf.bfloat16))
        double = _variable("double", [41, 4], tf.float64)
        rows = tf.cast(tf.gather(half, ids), tf.float64) + tf.gather(double, ids)
        return {"value": rows}
    return _export(directory, network)


@model(*_ASKED)
def integer_tables(directory: str) -> str:
    """A remap table of int64, one of int8, one of bools; a lookup of a lookup."""
    def network(ids: tf.Tensor) -> dict:
        def fixed(name: str, values: np.ndarray) -> Any:
            return _variable(name, None, None, trainable=False, initializer=tf.constant(values))
        remap = fixed("remap", (np.arange(20000) * 7) % 3000)
        kind = fixed("kind", np.arange(20000).astype(np.int8))
        good = fixed("good", np.arange(20000) % 3 == 0)
        table = _variable("table", [3000, 8])
        return {"value": tf.gather(table, tf.gather(remap, ids)), "kind": tf.gather(kind, ids),
                "good": tf.gather(good, ids)}
    return _export(directory, network)


@model(*_ASKED)
def string_variable(directory: str) -> str:
    """Names kept in a variable of strings, as some old models do."""
    def network(ids: tf.Tensor) -> dict:
        names = _variable("names", None, None, trainable=False, use_resource=False,
                          initializer=tf.constant([f"word {i}" for i in range(41)]))
        return {"value": tf.gather(_variable("table", [3000, 8]), ids),
                "name": tf.gather(names, ids)}
    return _export(directory, network)


def _not_finite(rows: int) -> Callable:
    def values(*_: Any, **__: Any) -> tf.Tensor:
        table = np.random.default_rng(1).normal(size=(rows, 8)).astype(np.float32)
        table[1, 2], table[2, 0], table[39, 5], table[38] = np.nan, np.inf, -np.inf, np.nan
        return tf.constant(table)

    def network(ids: tf.Tensor) -> dict:
        table = _variable("table", [rows, 8], initializer=values, trainable=False)
        return {"value": _variable("scale", []) * 2.0, "rows": tf.gather(table, ids)}
    return network


@model(*_ASKED)
def table_with_nan_large(directory: str) -> str:
    return _export(directory, _not_finite(3000), steps=1)


@model(*_ASKED)
def table_with_nan_small(directory: str) -> str:
    return _export(directory, _not_finite(41), steps=1)


@model(*_ASKED)
def odd_shapes(directory: str) -> str:
    """A vector looked up, a table of three axes, a scalar, an empty one, one that is all zero."""
    def network(ids: tf.Tensor) -> dict:
        vector = _variable("vector", [20000])
        cube = _variable("cube", [1500, 4, 5])
        empty = _variable("empty", [0, 8])
        zero = _variable("zero", [3000, 8], initializer=tf.zeros_initializer(), trainable=False)
        value = tf.gather(vector, ids)[:, tf.newaxis] + tf.reduce_sum(tf.gather(cube, ids), 1)
        return {"value": value * _variable("scale", [], initializer=tf.ones_initializer()),
                "cube": tf.gather(cube, ids), "none": tf.concat([empty, empty], 0),
                "zero": tf.gather(zero, ids)}
    return _export(directory, network)


@model(*_ASKED)
def other_lookups(directory: str) -> str:
    """gather_nd, a gather along the second axis, a slice, and batch_dims, of large tables."""
    def network(ids: tf.Tensor) -> dict:
        table = _variable("table", [3000, 8])
        wide = _variable("wide", [8, 3000])
        narrow = ids % 8
        return {"value": tf.gather_nd(table, tf.stack([ids, narrow], 1)),
                "columns": tf.gather(wide, ids, axis=1),
                "slice": tf.strided_slice(table, [5], [9]),
                "shape": tf.shape(table),
                "batch": tf.gather(wide, tf.tile(narrow[tf.newaxis, :], [8, 1]), batch_dims=1)}
    return _export(directory, network)
