"""A CNN whose slim servable does otherwise with the empty batch is published, with a warning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import optimize_saved_model
from estimator_slim.options import DEFAULT
from tests.support.by_hand import answers, servable, v1
from tests.support.training import versions
from tests.verify.squashed import Weights

NONE = {"x": np.zeros((0, 8, 8, 1), np.float32)}


def normalized(weights: Weights, maps: Any) -> Any:
    """By a multiplication, which gives what has one channel as many as there are."""
    depth = int(maps.shape[-1])
    return maps * (1 + weights(1, depth)[0]) + weights(1, depth)[0]


def network(behind: Callable[[Weights, Any], Any], *, bias: bool = False) -> Callable[[], Any]:
    """Conv2D and normalisation of grey images, and what stands behind."""
    def made() -> Any:
        weights, x = Weights(1), v1.placeholder(tf.float32, [None, 8, 8, 1], "x")
        maps = tf.nn.conv2d(x, weights(3, 3, 1, 16), 1, "SAME")
        maps = tf.nn.bias_add(maps, weights(1, 16)[0]) if bias else maps
        return {"x": x}, {"maps": behind(weights, normalized(weights, maps))}
    return made


def pooled(_: Weights, maps: Any) -> Any:
    return tf.nn.max_pool2d(maps, 2, 2, "VALID")


def pooled_and_read_again(weights: Weights, maps: Any) -> Any:
    return tf.nn.conv2d(tf.nn.max_pool2d(maps, 2, 2, "VALID"), weights(3, 3, 16, 8), 1, "SAME")


def averaged_and_scored(weights: Weights, maps: Any) -> Any:
    return weights.dense(tf.reduce_mean(maps, [1, 2]), 5)


REFUSES = "refuses the empty batch, which the original answers"
OTHERWISE = "answers the empty batch with"
FORMS = {
    "pooled": (network(pooled), OTHERWISE),
    "pooled, with a bias": (network(pooled, bias=True), OTHERWISE),
    "pooled and read again": (network(pooled_and_read_again), REFUSES),
    "averaged and scored": (network(averaged_and_scored), REFUSES)}


@pytest.mark.parametrize("form", FORMS)
def test_it_is_published_with_a_warning(form: str, tmp_path: Path, caplog: Any) -> None:
    made, warning = FORMS[form]
    original = servable(tmp_path, made)
    report = optimize_saved_model(original, tmp_path / "slim" / "1", DEFAULT, verify="enforce")
    assert report is not None and report.verification is not None
    assert versions(tmp_path / "slim") == ["1"]
    assert warning in "".join(report.verification.warnings)
    assert warning in caplog.text
    want, got = (answers(one, NONE) for one in (original, str(tmp_path / "slim" / "1")))
    assert isinstance(want, dict)
    assert isinstance(got, str) or got["maps"].shape != want["maps"].shape
