"""Custom models of odd shape: outputs that are not computed, control flow, Asserts, state."""

from __future__ import annotations

import os
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
from tests.support.old_control_flow import old_control_flow

_X = np.array([[1.0, -2.0, 3.0], [0.5, 0.25, -0.125]], np.float32)
_ASKED = ({"x": _X}, {"x": _X[:1]}, {"x": _X[:0]}, {"x": _X * 100}, {"x": -_X}, {})


def _export(directory: str, network: Callable, **more: Any) -> str:
    """Exports what `network(x)` returns: outputs by name, of which `value` is trained."""
    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        outputs = network(features["x"])
        if is_predict(mode):
            return predict_spec(outputs, **{k: v(outputs) for k, v in more.items()})
        return training_spec(mode, tf.reduce_mean(tf.square(outputs["value"] - 1.0)))

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    return export(directory, estimator, inputs({"x": _X}, _X),
                  raw_receiver(x=(tf.float32, [None, 3])))


def _dense(x: tf.Tensor) -> tf.Tensor:
    return tf.compat.v1.layers.dense(x, 3, bias_initializer=tf.ones_initializer())


@model(*_ASKED)
def outputs_not_computed(directory: str) -> str:
    """Outputs that are the input itself, a bare constant, a variable, or one tensor twice."""
    def network(x: tf.Tensor) -> dict:
        value = _dense(x)
        table = tf.compat.v1.get_variable("table", [3000, 8])
        small = tf.compat.v1.get_variable("small", [2, 2])
        return {"value": value, "again": value, "identity": tf.identity(x), "input": x,
                "constant": tf.constant([b"v1", b"v2"]), "number": tf.constant(3, tf.int64),
                "table": table.read_value(),
                "small": small.value(), "sum": tf.reduce_sum(table)}
    predict = tf.estimator.export.PredictOutput
    return _export(directory, network,
                   echo=lambda out: predict({"input": out["input"], "constant": out["constant"]}),
                   fixed=lambda out: predict({"table": out["table"], "small": out["small"]}))


@model(*_ASKED)
def reference_variable_is_output(directory: str) -> str:
    def network(x: tf.Tensor) -> dict:
        weight = tf.compat.v1.get_variable("weight", [3, 3], use_resource=False)
        return {"value": tf.matmul(x, weight), "weight": weight._ref(),
                "read": weight.value()}
    return _export(directory, network)


def _branches(x: tf.Tensor) -> dict:
    kernel = tf.compat.v1.get_variable("kernel", [3, 3])
    table = tf.compat.v1.get_variable("table", [3000, 8])
    positive = tf.reduce_sum(x) > 0.0
    value = tf.cond(positive, lambda: tf.matmul(x, kernel), lambda: x - 2.0 * kernel[0])
    rows = tf.cond(positive, lambda: tf.gather(table, [1, 2]), lambda: tf.gather(table, [7]))
    _, power = tf.while_loop(lambda i, _: i < 4, lambda i, v: (i + 1, tf.matmul(v, kernel)),
                             [tf.constant(0), x])
    return {"value": value, "rows": rows, "power": power}


@model(*_ASKED)
def control_flow_functions(directory: str) -> str:
    """If and While with function bodies that capture weights."""
    return _export(directory, _branches)


@model(*_ASKED)
def control_flow_switch_merge(directory: str) -> str:
    """As TensorFlow 1.x built it: Switch, Merge, Enter, Exit."""
    with old_control_flow():
        return _export(directory, _branches)


@model(*_ASKED)
def functions_called(directory: str) -> str:
    """tf.function calls, nested, with captured variables, and a map over the batch."""
    def network(x: tf.Tensor) -> dict:
        kernel = tf.compat.v1.get_variable("kernel", [3, 3])

        @tf.function
        def inner(a: tf.Tensor) -> tf.Tensor:
            return tf.matmul(a, kernel) + 1.0

        @tf.function
        def outer(a: tf.Tensor) -> tf.Tensor:
            return tf.nn.relu(inner(a)) + inner(a * 2.0)

        each = tf.map_fn(lambda row: tf.reduce_sum(tf.nn.softmax(row) * kernel[1]), x)
        return {"value": outer(x), "each": each}
    return _export(directory, network)


@model(*_ASKED)
def asserts_by_control_edges(directory: str) -> str:
    """Refuses what is over 50, by an Assert that an Identity waits for, and by check_numerics."""
    def network(x: tf.Tensor) -> dict:
        small = tf.compat.v1.assert_less(x, 50.0, message="too large")
        with tf.control_dependencies([small]):
            checked = tf.identity(x)
        return {"value": tf.compat.v1.debugging.check_numerics(_dense(checked), "numbers"),
                "unchecked": x + 1.0}
    return _export(directory, network)


@model(*_ASKED, {"x": _X}, {"x": _X})
def counts_requests(directory: str) -> str:
    """A variable that every request adds to, which must go on counting."""
    def network(x: tf.Tensor) -> dict:
        count = tf.compat.v1.get_variable("requests_served", [], tf.int64, trainable=False,
                                          initializer=tf.constant_initializer(40))
        with tf.control_dependencies([tf.compat.v1.assign_add(count, 1)]):
            now = count.read_value()
        return {"value": _dense(x), "count": now}
    return _export(directory, network)


@model(*_ASKED, {"x": _X})
def counts_requests_in_reference_variable(directory: str) -> str:
    def network(x: tf.Tensor) -> dict:
        count = tf.compat.v1.get_variable("requests_served", [], tf.int64, trainable=False,
                                          use_resource=False,
                                          initializer=tf.constant_initializer(40))
        return {"value": _dense(x), "count": tf.compat.v1.assign_add(count, 2)}
    return _export(directory, network)


@model(*_ASKED)
def local_table_from_asset(directory: str) -> str:
    """A table in no checkpoint: a local variable that the init op reads from an asset."""
    path = os.path.join(directory, "means.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("0.5 1.5 -2.5")

    def network(x: tf.Tensor) -> dict:
        asset = tf.constant(path, name="means_file")
        tf.compat.v1.add_to_collection(tf.compat.v1.GraphKeys.ASSET_FILEPATHS, asset)
        numbers = tf.strings.to_number(tf.strings.split([tf.io.read_file(asset)]).values)
        means = tf.compat.v1.get_variable(
            "means", initializer=tf.reshape(numbers, [3]), trainable=False,
            collections=[tf.compat.v1.GraphKeys.LOCAL_VARIABLES])
        return {"value": _dense(x - means)}
    return _export(directory, network)


@model(*_ASKED)
def many_small_ops(directory: str) -> str:
    """Split, concat, strided slices, casts, string formatting, top_k, where, unused outputs."""
    def network(x: tf.Tensor) -> dict:
        value = _dense(x)
        left, middle, right = tf.split(value, 3, axis=1)
        best = tf.math.top_k(value, 2)
        joined = tf.concat([right, tf.where(left > 0.0, left, middle)], 1)
        index = tf.argmax(value, 1)
        return {"value": value, "joined": joined, "top": best.values, "which": best.indices,
                "text": tf.strings.as_string(index), "last": value[..., -1],
                "shape": tf.shape(value), "rank": tf.rank(value),
                "dropped": tf.nn.dropout(value, rate=0.0)}
    return _export(directory, network)


@model({"x": _X}, {"x": _X[:1], "factor": np.float32(3.0)}, {"factor": np.float32(2.0)},
       {"factor": np.array([1.0, 2.0], np.float32), "x": _X})
def placeholder_with_default(directory: str) -> str:
    """An input that a request may leave out."""
    def model_fn(features: dict, labels: Any, mode: str) -> tf.estimator.EstimatorSpec:
        value = _dense(features["x"]) * features["factor"]
        if is_predict(mode):
            return predict_spec({"value": value})
        return training_spec(mode, tf.reduce_mean(tf.square(value)))

    def receiver() -> Any:
        x = tf.compat.v1.placeholder_with_default(np.ones((1, 3), np.float32), [None, 3], "x")
        factor = tf.compat.v1.placeholder_with_default(np.float32(1.0), [], "factor")
        features = {"x": x, "factor": factor}
        return tf.estimator.export.ServingInputReceiver(features, features)

    estimator = tf.estimator.Estimator(model_fn, config=config(directory))
    return export(directory, estimator, inputs({"x": _X, "factor": np.float32(1.0)}, _X), receiver)
