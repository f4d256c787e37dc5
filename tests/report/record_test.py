"""The report's lines say what was done and found, in numbers that mean something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Report, Verification, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms.bounds import Bounds
from estimator_slim.verify.gate import Original
from estimator_slim.verify.request import Request
from tests.support.by_hand import servable, v1, variable

KERNEL = np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32)
LOOSE = Bounds(max_error=1.0, min_agreement=0.99, snr=0.0, row_snr=0.0)


@pytest.mark.parametrize("before, after, shown", [
    (75_520, 24_900, "75.5 kB -> 24.9 kB (0.330)"), (999, 80, "1.0 kB -> 0.1 kB (0.080)"),
    (1_021_000_000, 262_000_000, "1021.0 MB -> 262.0 MB (0.257)"),
    (1_500_000, 400_000, "1.5 MB -> 400.0 kB (0.267)")])
def test_sizes_are_shown_in_units_in_which_they_are_no_zero(before: int, after: int, shown: str) -> None:
    report = Report("original", "slim", [], before, after, 10, 5, 1.0)
    assert str(report).startswith(shown + ", ")


def scoring(changed: float = 0.0) -> Any:
    """Scores and the class that they make; row by row the second may be `changed` more."""
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        scores = x + variable("bias", np.array([0.0, changed, 0.0], np.float32))
        return {"x": x}, {"scores": scores, "class": tf.argmax(scores, axis=1)}
    return network


@pytest.mark.parametrize("rows, shown", [
    ([[1.0, 0.0, 0.0]] * 90 + [[1.0, 0.999, 0.0]] * 10, "agreement 0.9000 (1.0000 without near ties), "),
    ([[1.0, 0.999, 0.0]] * 10, "agreement 0.0000 (nothing but near ties), "),
    ([[1.0, 0.0, 0.0]] * 10, "agreement 1.0000, ")], ids=["some near ties", "near ties alone", "none"])
def test_agreement_is_shown_as_it_is_and_as_it_is_held_against_what_is_allowed(
        tmp_path: Path, rows: list, shown: str) -> None:
    original, slim = servable(tmp_path, scoring()), servable(tmp_path, scoring(0.01))
    asked = Request("serving_default", {"x": np.array(rows, np.float32)}, "asked")
    found = Original(read_servable(original), [asked]).compare(slim, LOOSE)
    assert found.passed, found.failures
    assert shown in str(found)


def test_an_original_that_answers_no_question_is_said_to_have_been_asked(tmp_path: Path) -> None:
    def refusing() -> Any:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        with tf.control_dependencies([v1.assert_equal(tf.size(x), -1, message="never")]):
            return {"x": x}, {"y": tf.identity(x)}
    original = servable(tmp_path, refusing)
    found = optimize_saved_model(original, tmp_path / "slim/1", "", verify="enforce").verification
    assert found.asked > 1
    assert str(found) == f"not verified: the original answered none of {found.asked} questions"


def test_where_nothing_was_asked_that_is_what_is_said() -> None:
    assert str(Verification()) == "not verified: nothing was asked"
