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
from tests.support.ask import ask_fresh
from tests.support.by_hand import servable, v1
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


@pytest.mark.long
def test_they_are_published_with_a_warning(
        tmp_path: Path, cold: None, caplog: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")  # TensorFlow has it off on some processors
    asked = {}
    for form, (made, warning) in FORMS.items():
        caplog.clear()
        original, slim = servable(tmp_path, made), tmp_path / form
        report = optimize_saved_model(original, slim / "1", DEFAULT, verify="enforce")
        assert report is not None and report.verification is not None, form
        assert versions(slim) == ["1"], form
        assert warning in "".join(report.verification.warnings), form
        assert warning in caplog.text, form
        asked |= {(form, "original"): (original, [NONE]), (form, "slim"): (str(slim / "1"), [NONE])}
    found = {key: answers["serving_default", 0] for key, answers in ask_fresh(asked).items()}
    for form in FORMS:
        want, got = found[form, "original"], found[form, "slim"]
        assert isinstance(want, dict), form
        assert isinstance(got, str) or got["maps"].shape != want["maps"].shape, form
