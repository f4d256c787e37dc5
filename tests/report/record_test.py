"""The report's lines say what was done and found, in numbers that mean something."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Report, Verification, optimize_saved_model
from estimator_slim.report import Failure, OutputResult, Part, Problem
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms.bounds import Bounds
from estimator_slim.verify.gate import Original
from estimator_slim.verify.request import Request
from tests.support.by_hand import servable, v1, variable

KERNEL = np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32)
LOOSE = Bounds(max_error=1.0, min_agreement=0.99, snr=0.0, row_snr=0.0)


@pytest.mark.parametrize("before, after, shown", [
    (75_520, 24_900, "75.5 kB → 24.9 kB (1/3.0)"), (999, 80, "1.0 kB → 0.1 kB (1/12.5)"),
    (1_024_600_000, 260_500_000, "1,024.6 MB → 260.5 MB (1/3.9)"),
    (1_024_600_000, 1_400_000, "1,024.6 MB → 1.4 MB (1/732)"),
    (1_500_000, 400_000, "1.5 MB → 400.0 kB (1/3.8)"),
    (10_000, 12_000, "10.0 kB → 12.0 kB (1.2 times as much)")])
def test_sizes_are_shown_in_units_in_which_they_are_no_zero(before: int, after: int, shown: str) -> None:
    report = Report("original", "slim", [], before, after, 10, 5, 1.0)
    assert str(report).startswith(shown + ", ")


def quoted(*outputs: OutputResult, **found: Any) -> str:
    """What is said of the answers, of 1,024.6 MB and 260.5 MB."""
    verification = Verification(outputs, **found)
    report = Report("original", "slim", [], 1_024_600_000, 260_500_000, verification=verification)
    sizes, said = str(report).split(" (1/3.9), ")
    assert sizes == "1,024.6 MB → 260.5 MB"
    return said


def test_the_line_to_quote_tells_of_your_examples_with_accuracies_where_labels_are_known() -> None:
    assert quoted(SCORES, CLASSES, examples=2404, made_up=310) == (
        "same answer on 99.97 % of 2,404 of your examples (accuracy 0.9089 → 0.9087)")
    assert quoted(SCORES, examples=2404, made_up=310) == (
        "same answer on 99.95 % of 2,404 of your examples")


def test_the_line_to_quote_tells_of_made_up_questions_where_there_are_no_examples() -> None:
    alone = dataclasses.replace(SCORES, examples=None)
    assert quoted(alone, made_up=310) == "same answer on 96.77 % of 310 made-up questions"
    floats = [dataclasses.replace(alone, made_up=Part(310, error=error)) for error in (0.032, 0.0, 1e-6)]
    assert [quoted(one, made_up=310) for one in floats] == [
        "answers off by up to 3.2 % of their range on 310 made-up questions",
        "same answer on 310 made-up questions",
        "answers off by less than 0.01 % of their range on 310 made-up questions"]


def test_the_lines_tell_how_many_answers_were_compared_and_how_many_hang_on_dropped_rows() -> None:
    found = {"examples": 2404, "made_up": 310, "apart": Part(900, decisions=900, same=846)}
    held = dataclasses.replace(SCORES, examples=Part(1600, decisions=1600, same=1600),
                               made_up=Part(214, decisions=214, same=214),
                               accuracy=0.9089, slim_accuracy=0.9087)
    assert quoted(held, **found) == (
        "same answer on 100 % of 1,600 of your examples, on 94 % of 900 rows that hang on what was "
        "never trained (accuracy 0.9089 → 0.9087)")
    alone = dataclasses.replace(held, examples=None)
    assert quoted(alone, **found) == (
        "same answer on 100 % of 214 made-up questions, on 94 % of 900 rows that hang on what was never "
        "trained")
    assert "; 1,600 of your examples: " not in str(Verification((alone,), **found))
    assert "; 1,600 of your examples: " in str(Verification((held,), **found))
    assert "; 214 made-up rows: " in str(Verification((held,), **found))


def test_the_line_to_quote_says_so_where_nothing_was_verified_or_it_failed() -> None:
    assert quoted() == "not verified"
    assert quoted(SCORES, examples=2404, failures=(Failure("", "", "it is off"),)) == (
        "same answer on 99.95 % of 2,404 of your examples, verification failed")


def test_the_line_to_quote_of_a_failure_is_its_error() -> None:
    failed = Report("original", "slim", error=Problem("TransformError", "it failed\nLeave it out"))
    assert str(failed) == "no slim servable of original: it failed"


def scoring(changed: float = 0.0) -> Any:
    """Scores and the class that they make; row by row the second may be `changed` more."""
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        scores = x + variable("bias", np.array([0.0, changed, 0.0], np.float32))
        return {"x": x}, {"scores": scores, "class": tf.argmax(scores, axis=1)}
    return network


@pytest.mark.parametrize("rows, shown", [
    ([[1.0, 0.0, 0.0]] * 90 + [[1.0, 0.999, 0.0]] * 10, "in 90 % (100 % without near ties), "),
    ([[1.0, 0.999, 0.0]] * 10, "in 0 % (nothing but near ties), "),
    ([[1.0, 0.0, 0.0]] * 10, "in 100 %, ")], ids=["some near ties", "near ties alone", "none"])
def test_agreement_is_shown_as_it_is_and_as_it_is_held_against_what_is_allowed(
        tmp_path: Path, rows: list, shown: str) -> None:
    original, slim = servable(tmp_path, scoring()), servable(tmp_path, scoring(0.01))
    asked = Request("serving_default", {"x": np.array(rows, np.float32)}, "asked")
    found = Original(read_servable(original), [asked]).compare(slim, LOOSE)
    assert found.passed, found.failures
    assert f"same decision {shown}" in str(found)


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


SCORES = OutputResult(
    "predict", "scores", "float32", 2714, largest_error=1.2, range=1e6,
    examples=Part(2404, error=0.0078, decisions=2404, same=2403, clear=2404, clear_same=2403),
    made_up=Part(310, error=0.032, beyond=2, farthest=0.11, decisions=310, same=300, clear=290,
                 clear_same=290))
CLASSES = OutputResult(
    "predict", "classes", "string", 2714, accuracy=0.9089, slim_accuracy=0.9087,
    examples=Part(2404, decisions=2404, same=2404, clear=2404, clear_same=2404))


def test_the_line_tells_your_examples_from_what_was_made_up() -> None:
    found = Verification((SCORES, CLASSES), examples=2404, made_up=310, max_error=0.05)
    assert str(found) == (
        "verified: 1 signature; "
        "2,404 of your examples: same decision in 99.97 %, largest error 0.78 % of the range (5 % "
        "allowed), accuracy 0.9089 -> 0.9087; "
        "310 made-up rows: same decision in 96.77 % (100 % without near ties), largest error 3.2 % of "
        "the range (5 % allowed; 11 % in 2 rows)")


@pytest.mark.parametrize("error, shown", [
    (0.0, "0 %"), (3e-9, "less than 0.01 %"), (0.0001, "0.01 %"), (0.0123, "1.2 %"), (0.5, "50 %"),
    (1.0, "100 %"), (21.3, "2130 %")])
def test_errors_are_shares_of_the_range_in_per_cent(error: float, shown: str) -> None:
    result = dataclasses.replace(SCORES, examples=Part(10, error=error), made_up=None)
    found = Verification((result,), examples=10, max_error=0.05)
    assert f"largest error {shown} of the range (5 % allowed)" in str(found)


@pytest.mark.parametrize("same, of, shown", [
    (9999, 10_000, "99.99 %"), (99_999, 100_000, "99.99 %"), (3, 3, "100 %"), (2, 3, "66.66 %")])
def test_only_all_of_them_are_100_per_cent(same: int, of: int, shown: str) -> None:
    part = Part(of, decisions=of, same=same, clear=of, clear_same=of)
    assert f"same decision in {shown}" in str(Verification(
        (dataclasses.replace(CLASSES, examples=part),), examples=of))


def test_accuracies_of_several_outputs_are_named() -> None:
    others = [dataclasses.replace(CLASSES, output=name, accuracy=before, slim_accuracy=after)
              for name, before, after in (("a", 0.5, 0.5), ("b", 0.75, 0.74), ("c", 0.75, 0.74))]
    line = str(Verification(tuple(others), examples=4))
    assert "accuracy of 'a' 0.5000 -> 0.5000, accuracy of 'b' 0.7500 -> 0.7400" in line
    assert "'c'" not in line


def test_an_output_that_is_no_decision_and_no_float_is_counted() -> None:
    found = Verification((OutputResult("predict", "names", "string", 9, made_up=Part(9)),), made_up=9)
    assert str(found) == "verified: 1 signature; 9 made-up rows"
