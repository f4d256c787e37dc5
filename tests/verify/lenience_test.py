"""Made-up rows are judged as what they are: a few may be off by more, and no wrong one is among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from estimator_slim import Verification, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import allowed_by, transform_list
from estimator_slim.verify.answers.asking import Heard, Job, ask_here
from estimator_slim.verify.comparison.judging import compare
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.request import Output, Request
from tests.support.by_hand import servable
from tests.verify.squashed import NETWORKS

EIGHT_BITS = "quantize_weights(minimum_size=1)"
EIGHT = allowed_by(transform_list(EIGHT_BITS))
GAINS = {"dense": 30.0, "labels": 10.0, "images": 1000.0, "words": 100.0, "tags": 30.0}


@pytest.fixture(scope="module")
def heard(tmp_path_factory: Any) -> dict[str, tuple[list[Request], list[Heard]]]:
    """Network → its made-up questions, and what the original and the slim servable answer."""
    folder, found = tmp_path_factory.mktemp("squashed"), {}
    for name, gain in GAINS.items():
        original, slim = servable(folder, lambda n=name, g=gain: NETWORKS[n](g)), str(folder / name)
        optimize_saved_model(original, slim, EIGHT_BITS, verify="off")
        requests = made_up_requests(read_servable(original))
        jobs = [Job(one, requests, grappler=False) for one in (original, slim)]
        found[name] = requests, ask_here(jobs)
    return found


@pytest.mark.parametrize("name", GAINS)
def test_probabilities_that_jump_in_a_few_made_up_rows_are_no_reason_to_refuse(
        heard: dict, name: str) -> None:
    requests, answers = heard[name]
    found = compare(requests, *answers, EIGHT)
    assert found.failures == ()
    (output,) = found.outputs
    assert output.made_up.farthest > EIGHT.max_error > output.made_up.error
    assert output.made_up.beyond > 0


@pytest.mark.parametrize("name", GAINS)
def test_the_same_rows_as_your_examples_are_held_to_what_is_allowed(heard: dict, name: str) -> None:
    requests, answers = heard[name]
    found = compare([replace(request, origin="input_fn") for request in requests], *answers, EIGHT)
    assert not found.passed


# ---- which rows may be off by more


RANDOM = np.random.default_rng(8)
SCORES = RANDOM.normal(size=(200, 5)) * 20


def compared(want: np.ndarray, got: np.ndarray, *, origin: str = "a typical batch",
             **given: float) -> Verification:
    promises: dict[str, Any] = {"serve": {}}
    answers = (Heard(promises, [{"out": Output(value.astype(np.float32), value.shape)}])
               for value in (want, got))
    bounds = allowed_by(transform_list(EIGHT_BITS), **given)
    return compare([Request("serve", {}, origin)], *answers, bounds)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-scores))


SQUASHED = pytest.mark.parametrize("squashed", [softmax, sigmoid])


def near_ties(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of which the best two change places in some rows, all of them off by a hundredth."""
    want = SCORES.copy()
    want[:rows, :2] = 40.0, 39.6
    got = want + 0.2 * np.where(np.arange(5) % 2, 1, -1)
    return want, got


@SQUASHED
@pytest.mark.parametrize("rows, passes", [(1, True), (4, True), (60, False)])
def test_a_few_rows_may_be_off_by_more_if_their_log_odds_are_near(
        squashed: Callable, rows: int, passes: bool) -> None:
    want, got = near_ties(rows)
    if squashed is sigmoid:
        want, got = want - 39.8, got - 39.8
        want[rows:], got[rows:] = SCORES[rows:], SCORES[rows:]
        got[:rows] *= 2
    found = compared(squashed(want), squashed(got))
    assert found.passed == passes, found.failures


@SQUASHED
@pytest.mark.parametrize("wrong", [np.negative, np.zeros_like, lambda row: row[::-1],
                                   lambda row: row * 1.5], ids=["negated", "none", "reversed", "larger"])
def test_a_row_whose_log_odds_are_others_is_wrong(squashed: Callable, wrong: Callable) -> None:
    want = SCORES / 10
    want[7] = -2.0, 0.5, 1.0, 1.5, -1.0
    got = want.copy()
    got[7] = wrong(want[7])
    assert not compared(squashed(want), squashed(got)).passed


def test_one_label_that_is_wrong_in_all_rows_is_not_a_few_values() -> None:
    want = RANDOM.normal(size=(200, 20)) * 4
    got = want.copy()
    got[:, 3] += np.where(np.arange(200) % 2, 1.6, -1.6)
    assert not compared(sigmoid(want), sigmoid(got)).passed


@pytest.mark.parametrize("rows, passes", [(1, True), (40, False)])
def test_rows_in_which_scores_are_too_far_apart_to_tell_are_decisions(rows: int, passes: bool) -> None:
    want = SCORES * 1000
    got = want.copy()
    got[:rows] = np.roll(want[:rows], 1, axis=1)
    assert compared(softmax(want), softmax(got)).passed == passes


VALUES = RANDOM.uniform(-1, 1, (200, 30)) * 2


@pytest.mark.parametrize("share, rows, passes", [(0.1, 1, True), (0.1, 8, True), (0.1, 200, False),
                                                 (0.3, 1, False)])
def test_other_floats_may_be_off_by_four_times_as_much_in_a_few_rows_that_are_not_noisy(
        share: float, rows: int, passes: bool) -> None:
    got = VALUES.copy()
    got[:rows, 3] += share * np.ptp(VALUES) * np.where(np.arange(rows) % 2, 1, -1)
    assert compared(VALUES, got).passed == passes
    assert not compared(VALUES, got, origin="input_fn").passed


def test_where_max_error_is_given_made_up_rows_are_held_to_it_too() -> None:
    want, got = (softmax(scores) for scores in near_ties(1))
    worst = float(np.abs(want - got).max())
    assert not compared(want, got, max_error=worst - 0.01).passed
    assert compared(want, got, max_error=worst + 0.01).passed


def test_an_edge_case_is_held_against_all_rows_of_its_own_question() -> None:
    promises: dict[str, Any] = {"serve": {}}
    large = np.concatenate([RANDOM.normal(size=(7, 1)) * 1e6, [[1e3]]])
    off = large + np.array([[0.0]] * 7 + [[900.0]])
    usual = RANDOM.normal(size=(64, 1))
    heard = [Heard(promises, [{"out": Output(part.astype(np.float32), part.shape)} for part in both])
             for both in ((usual, large), (usual, off))]
    for origin, passes in (("large numbers", True), ("input_fn", False)):
        asked = [Request("serve", {}, "a typical batch"), Request("serve", {}, origin)]
        assert compare(asked, *heard, EIGHT).passed == passes
