"""What a refusal tells is what TensorFlow says is wrong, whole, and not the line in front of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.verify.answers.asking import Job, ask_here
from estimator_slim.verify.answers.cause import cause_of
from estimator_slim.verify.request import Refusal, Request
from tests.support.by_hand import servable

v1 = tf.compat.v1


def checked(x: tf.Tensor) -> tf.Tensor:
    small = v1.debugging.assert_less(x, 1.0, message="too large", data=["x:", x])
    with tf.control_dependencies([small]):
        return x * 2.0


def number(x: tf.Tensor) -> tf.Tensor:
    return tf.strings.to_number(tf.strings.as_string(x, precision=1) + "a")


def in_a_dataset(x: tf.Tensor) -> tf.Tensor:
    return tf.data.Dataset.from_tensor_slices(x).map(checked).batch(9).get_single_element()


CASES = [
    (checked, r"assertion failed: \[too large\] \[x:\] \[5 6\]"),
    (number, "StringToNumberOp could not correctly convert string: 5.0a"),
    (lambda x: tf.ensure_shape(x, [7]), r"Shape of tensor .* \[2\] is not compatible with .* \[7\].*"),
    (lambda x: tf.map_fn(number, x), "StringToNumberOp could not correctly convert string: [56].0a"),
    (in_a_dataset, r"assertion failed: \[too large\] \[x:\] \[5\]"),
    (lambda x: tf.gather([1.0], tf.cast(x, tf.int32)), r"indices\[0\] = 5 is not in \[0, 1\)")]


@pytest.mark.parametrize("network, cause", CASES, ids=list("abcdef"))
@pytest.mark.parametrize("in_a_function", [False, True])
def test_the_cause_of_a_refusal_is_told_whole(
        tmp_path: Path, network: Callable, cause: str, in_a_function: bool) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        return {"x": x}, {"y": tf.identity((tf.function(network) if in_a_function else network)(x))}
    request = Request("serving_default", {"x": np.array([5, 6], np.float32)}, "asked")
    (heard,) = ask_here([Job(servable(tmp_path, build), [request], grappler=False)])
    (answer,) = heard.answers
    assert isinstance(answer, Refusal)
    assert re.fullmatch(cause, answer.message), answer.message


@pytest.mark.parametrize("text, cause", [
    ("Restoring from checkpoint failed. This is most likely due to a mismatch.\nOriginal error:\n\n"
     "Graph execution error:\n\nDetected at node 'a' defined at (most recent call last):\n  File x\n"
     "Node: 'a'\nNo such tensor\nin the file\n\t [[{{node a}}]]\n\nOriginal stack trace for 'a':\n  F",
     "No such tensor in the file"),
    ("2 root error(s) found.\n  (0) INVALID_ARGUMENT: no\n\t [[{{node a}}]]\n  (1) CANCELLED: b\n",
     "2 root error(s) found. (0) INVALID_ARGUMENT: no (1) CANCELLED: b"),
    ("", ""), ("x" * 9000, "x" * 600)])
def test_what_python_writes_around_a_cause_is_left_out(text: str, cause: str) -> None:
    assert cause_of(ValueError(text)) == cause
