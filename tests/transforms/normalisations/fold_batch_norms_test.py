"""fold_batch_norms: a normalisation's constants go into the kernel beside it, or stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import optimize_saved_model
from tests.support.alike import ROUNDED, assert_near_answers, assert_same_answers
from tests.support.ask import ask
from tests.support.by_hand import request_ops, servable, slim, v1, variable
from tests.support.models import MODELS

FOLD = "strip_unused_nodes remove_nodes(op=Identity) fold_constants fold_batch_norms"
RANDOM = np.random.default_rng(8)
KERNEL, NEXT = (RANDOM.normal(size=size).astype(np.float32) for size in ((5, 6), (6, 4)))
SCALE, SHIFT = (RANDOM.uniform(0.5, 2, size=6).astype(np.float32) for _ in range(2))
IMAGE = RANDOM.normal(size=(2, 8, 8, 3)).astype(np.float32)
X = RANDOM.normal(size=(3, 5)).astype(np.float32)


@pytest.mark.parametrize("name", ["dnn_v1_batch_norm_label_vocabulary",
                                  "dnn_v2_hash_sum_batch_norm_labels"])
def test_canned_batch_norms_disappear(exported: Callable, tmp_path: Path, name: str) -> None:
    source, path = exported(name), str(tmp_path / "slim")
    optimize_saved_model(source, path, FOLD)
    ops = request_ops(path)
    assert request_ops(source)["Mul"] >= 2
    assert ops["Mul"] == ops["Add"] == ops["AddV2"] == ops["Rsqrt"] == 0
    assert ops["MatMul"] == ops["BiasAdd"] == 3
    requests = MODELS[name].requests
    got, wanted = (ask(d, requests, optimizer=False) for d in (path, source))
    for key, answer in wanted.items():
        if isinstance(answer, str):
            assert got[key] == answer
            continue
        for output, value in answer.items():
            if value.dtype.kind == "f":
                np.testing.assert_allclose(got[key][output], value, rtol=1e-5, atol=1e-5)
            else:
                np.testing.assert_array_equal(got[key][output], value)


def dense_servable(folder: Path, more: Callable[[Any], dict], bias: bool = True) -> str:
    """x → relu(x · kernel) · scale + shift → · next (+ bias), and what `more` makes of the norm."""
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 5], "x")
        active = tf.nn.relu(tf.matmul(x, variable("kernel", KERNEL)))
        norm = active * variable("scale", SCALE) + variable("shift", SHIFT)
        y = tf.matmul(norm, variable("next", NEXT))
        y = tf.nn.bias_add(y, variable("bias", NEXT[0])) if bias else y
        return {"x": x}, {"y": y, **more(norm)}
    return servable(folder, network)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_a_norm_behind_the_activation_goes_into_the_next_layer(tmp_path: Path, bias: bool) -> None:
    source = dense_servable(tmp_path, lambda _: {}, bias)
    path, _ = slim(source, FOLD)
    ops = request_ops(path)
    assert ops["Mul"] == ops["Add"] == ops["AddV2"] == 0
    assert (ops["MatMul"], ops["BiasAdd"]) == (2, 1)
    assert_near_answers(path, source, {"x": X}, {"x": X[:1]}, {"x": X[:0]}, **ROUNDED)


@pytest.mark.parametrize("more", [lambda norm: {"norm": norm},
                                  lambda norm: {"other": tf.reduce_sum(norm, 1)}],
                         ids=["an output", "another consumer"])
def test_a_norm_that_somebody_else_reads_stays(tmp_path: Path, more: Callable) -> None:
    source = dense_servable(tmp_path, more)
    path, _ = slim(source, FOLD)
    ops = request_ops(path)
    assert ops["Mul"] == ops["Add"] + ops["AddV2"] == 1
    assert_same_answers(path, source, {"x": X}, {"x": X[:0]})


def test_a_norm_whose_next_kernel_is_shared_stays(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 5], "x")
        active = tf.nn.relu(tf.matmul(x, variable("kernel", KERNEL)))
        kernel = variable("next", NEXT)
        norm = active * variable("scale", SCALE) + variable("shift", SHIFT)
        return {"x": x}, {"y": tf.matmul(norm, kernel), "plain": tf.matmul(active, kernel)}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    assert_near_answers(path, source, {"x": X}, **ROUNDED)


def test_a_fed_norm_stays(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 5], "x")
        norm = tf.nn.relu(tf.matmul(x, variable("kernel", KERNEL))) * variable("scale", SCALE)
        y = tf.matmul(norm, variable("next", NEXT))
        return {"serving_default": ({"x": x}, {"y": y}), "norm": ({"norm": norm}, {"y": y})}

    source = servable(tmp_path, network)
    path, _ = slim(source, FOLD)
    requests = {"x": X}, {"x": X, "norm": np.ones((2, 6))}
    got, wanted = (ask(d, requests, optimizer=False)["norm", 1]["y"] for d in (path, source))
    np.testing.assert_array_equal(got, wanted)
    assert_near_answers(path, source, {"x": X}, **ROUNDED)


def convolution(folder: Path, more: Callable[[Any, Any], dict]) -> str:
    """image → conv → · scale, and what `more` makes of both."""
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], "x")
        kernel = np.random.default_rng(9).normal(size=(3, 3, 3, 6)).astype(np.float32)
        raw = tf.nn.conv2d(x, variable("kernel", kernel), 1, "SAME")
        scaled = raw * variable("scale", SCALE)
        return {"x": x}, {"y": tf.nn.relu(scaled), **more(raw, scaled)}
    return servable(folder, network)


def test_a_scale_behind_a_convolution_goes_into_its_kernel(tmp_path: Path) -> None:
    source = convolution(tmp_path, lambda raw, scaled: {})
    path, _ = slim(source, FOLD)
    assert request_ops(path) == {"Placeholder": 1, "Const": 1, "Conv2D": 1, "Relu": 1}
    assert_near_answers(path, source, {"x": IMAGE}, {"x": IMAGE[:1]}, **ROUNDED)


@pytest.mark.parametrize("more", [lambda raw, scaled: {"raw": raw},
                                  lambda raw, scaled: {"other": tf.reduce_sum(raw, [1, 2])}],
                         ids=["an output", "another consumer"])
def test_a_convolution_that_somebody_else_reads_keeps_its_kernel(
        tmp_path: Path, more: Callable) -> None:
    source = convolution(tmp_path, more)
    path, _ = slim(source, FOLD)
    assert_near_answers(path, source, {"x": IMAGE}, {"x": IMAGE[:1]}, **ROUNDED)


def test_the_scaled_convolution_itself_may_be_an_output(tmp_path: Path) -> None:
    source = convolution(tmp_path, lambda raw, scaled: {"scaled": scaled})
    path, _ = slim(source, FOLD)
    assert_near_answers(path, source, {"x": IMAGE}, **ROUNDED)
