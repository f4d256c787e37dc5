"""What a refusal advises helps: with the values that it names the same slim servable passes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from estimator_slim.report import Report, Verification
from estimator_slim.transforms import allowed_by, transform_list
from estimator_slim.verify.advice import refusal
from estimator_slim.verify.answers.asking import Heard
from estimator_slim.verify.comparison.judging import compare
from estimator_slim.verify.request import Output, Request

LIST = transform_list("quantize_weights")
RANDOM = np.random.default_rng(8)
SCORES = RANDOM.normal(size=(200, 5)).astype(np.float32)
REPORT = Report("original", "slim", [], 0, 0, 0, 0, 0.0)

Outputs = dict[str, np.ndarray]


def compared(want: Outputs, got: Outputs, **given: float) -> Verification:
    promises: dict[str, Any] = {"serve": {}}
    heard = (Heard(promises, [{key: Output(value, value.shape) for key, value in one.items()}])
             for one in (want, got))
    return compare([Request("serve", {"x": SCORES}, "input_fn")], *heard, allowed_by(LIST, **given))


def decided(scores: np.ndarray) -> Outputs:
    return {"scores": scores, "classes": scores.argmax(axis=1)}


def one_row_far_off() -> tuple[Outputs, Outputs]:
    got = SCORES.copy()
    got[17] += 0.7
    return {"scores": SCORES}, {"scores": got}


def noise_in_all_rows() -> tuple[Outputs, Outputs]:
    noise = np.where(np.roll(SCORES, 1, axis=0) > 0, 0.06, -0.06)
    return {"scores": SCORES}, {"scores": SCORES + noise.astype(np.float32)}


def a_constant_in_all_rows() -> tuple[Outputs, Outputs]:
    shares = 0.5 + SCORES * np.float32(0.001)
    return {"shares": shares}, {"shares": shares + np.float32(0.002)}


def other_classes() -> tuple[Outputs, Outputs]:
    got = SCORES.argmax(axis=1)
    got[:40] = (got[:40] + 1) % 5
    return {"classes": SCORES.argmax(axis=1)}, {"classes": got}


def classes_that_no_score_explains() -> tuple[Outputs, Outputs]:
    got = decided(SCORES)
    got["classes"] = got["classes"].copy()
    got["classes"][3] = 7
    return decided(SCORES), got


def other_scores_and_classes() -> tuple[Outputs, Outputs]:
    got = SCORES.copy()
    got[:30] = np.roll(got[:30], 1, axis=1)
    return decided(SCORES), decided(got)


def other_tags() -> tuple[Outputs, Outputs]:
    tags = SCORES.argmax(axis=1).reshape(20, 10)
    return {"tags": tags}, {"tags": np.where(np.arange(10) > 7, tags + 1, tags)}


CASES = {
    one_row_far_off: ["max_error"], noise_in_all_rows: ["max_error"],
    a_constant_in_all_rows: ["max_error"], other_classes: ["min_agreement"],
    classes_that_no_score_explains: ["min_agreement"],
    other_scores_and_classes: ["max_error", "min_agreement"], other_tags: ["min_agreement"]}


@pytest.mark.parametrize("by_flags", [True, False], ids=["flags", "arguments"])
@pytest.mark.parametrize("case, options", CASES.items(), ids=[case.__name__ for case in CASES])
def test_the_options_that_are_named_let_it_pass_with_the_values_that_are_named(
        case: Any, options: list[str], by_flags: bool) -> None:
    found = compared(*case())
    assert not found.passed
    said = refusal(REPORT, found, lossless=False, by_flags=by_flags).splitlines()[-1]
    prefix = "--slim_" if by_flags else ""
    named = dict(re.findall(rf"{prefix}(max_error|min_agreement)=([0-9.e-]+)", said))
    assert sorted(named) == options
    assert ("--slim_verify=report" if by_flags else "verify='report'") in said
    again = compared(*case(), **{option: float(value) for option, value in named.items()})
    assert again.passed, again.failures


def test_no_option_is_named_for_what_no_option_lets_pass() -> None:
    all_the_same = "Leave out what is lossy, or publish it all the same with verify='report'"
    for got, advice in (
            ({"scores": np.where(SCORES > 2, np.nan, SCORES)}, all_the_same),
            ({"scores": SCORES * 9}, all_the_same),
            ({}, "Leave out the transform that was added last, and report it")):
        said = refusal(REPORT, compared({"scores": SCORES}, got), lossless=False, by_flags=False)
        assert said.splitlines()[-1] == advice


# ---- what is given alone judges its kind


@pytest.mark.parametrize("case", [one_row_far_off, noise_in_all_rows, a_constant_in_all_rows])
def test_where_max_error_is_given_nothing_else_judges_floats(case: Any) -> None:
    assert compared(*case(), max_error=0.25).passed
    assert not compared(*case(), max_error=0.0005).passed


@pytest.mark.parametrize("case", [other_classes, classes_that_no_score_explains, other_tags])
def test_where_min_agreement_is_given_nothing_else_judges_decisions(case: Any) -> None:
    assert compared(*case(), min_agreement=0.75).passed
    assert not compared(*case(), min_agreement=1.0).passed


def test_what_is_given_is_held_to_the_row() -> None:
    want = {"classes": SCORES.argmax(axis=1)}
    got = {"classes": want["classes"].copy()}
    got["classes"][:3] += 1
    assert compared(want, got, min_agreement=0.985).passed
    assert not compared(want, got, min_agreement=0.986).passed
    assert compared(want, got).passed, "where nobody gave it, chance may add to the share"


def test_each_judges_its_own_kind_alone() -> None:
    want, got = other_scores_and_classes()
    assert not compared(want, got, max_error=1.0).passed
    assert not compared(want, got, min_agreement=0.0).passed
    assert compared(want, got, max_error=1.0, min_agreement=0.0).passed


def test_what_no_float_has_a_part_in_is_held_to_equality_whatever_is_given() -> None:
    promises: dict[str, Any] = {"serve": {}}
    names = np.array([b"a", b"b", b"c"] * 5, object)
    heard = [Heard(promises, [{"names": Output(value, value.shape)}]) for value in (names, names[::-1])]
    for fixed in (True, False):
        found = compare([Request("serve", {}, "input_fn")], *heard, allowed_by(LIST, min_agreement=0.0),
                        fixed=frozenset({("serve", "names")} if fixed else ()))
        assert found.passed != fixed
