"""What is rounding and what is not: as small as the dtype's, and never all that an output tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.transforms import LOSSLESS, Bounds, allowed_by, transform_list
from estimator_slim.verify.answers.asking import Heard
from estimator_slim.verify.comparison.judging import compare
from estimator_slim.verify.request import Output, Request

RANDOM = np.random.default_rng(3)
NORMAL = RANDOM.normal(size=(64, 5))
EVERY = {text: allowed_by(transform_list(text)) for text in (
    "fold_constants", "quantize_weights(bits=16)", "quantize_weights", "quantize_weights(bits=4)")}
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52, "float16": 2.0**-10, "bfloat16": 2.0**-7}


def passes(want: np.ndarray, got: np.ndarray, allowed: Bounds = LOSSLESS) -> bool:
    promises: dict[str, Any] = {"serve": {}}
    heard = (Heard(promises, [{"out": Output(value, value.shape)}]) for value in (want, got))
    return compare([Request("serve", {}, "asked")], *heard, allowed).passed


def kind(name: str) -> Any:
    return tf.bfloat16.as_numpy_dtype if name == "bfloat16" else np.dtype(name)


@pytest.mark.parametrize("allowed", EVERY.values(), ids=list(EVERY))
@pytest.mark.parametrize("want", [
    1.6e9 + RANDOM.uniform(0, 60, (64, 5)), 1e5 + RANDOM.uniform(0, 1e-6, (64, 5)),
    (1000 + RANDOM.uniform(-3e-3, 3e-3, (64, 5))).astype(np.float32),
    (1000 + RANDOM.uniform(0, 30, (64, 5))).astype(np.float16),
    (1000 + RANDOM.uniform(-1, 1, (64, 5))).astype(np.float32)],
    ids=["times", "prices", "float32", "float16", "much"])
def test_answers_without_what_varies_are_wrong_however_little_that_is(
        want: np.ndarray, allowed: Bounds) -> None:
    assert passes(want, want.copy(), allowed)
    assert not passes(want, np.full_like(want, np.median(want)), allowed)
    assert not passes(want, want[::-1].copy(), allowed)


@pytest.mark.parametrize("allowed", EVERY.values(), ids=list(EVERY))
def test_a_half_of_what_varies_is_not_enough(allowed: Bounds) -> None:
    varies = RANDOM.uniform(-3e-3, 3e-3, (64, 5))
    want, got = ((1000 + part).astype(np.float32) for part in (varies, varies / 2))
    assert not passes(want, got, allowed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_in_another_order_are_right_though_they_vary_little(dtype: str) -> None:
    terms = np.random.default_rng(4).uniform(0, 1, (64, 4096)).astype(dtype)
    terms *= factors(terms)
    order = np.random.default_rng(5).permutation(4096)
    want, got = (np.cumsum(one, axis=1, dtype=dtype)[:, -1] for one in (terms, terms[:, order]))
    assert np.any(want != got)
    assert passes(want, got)


def factors(terms: np.ndarray) -> np.ndarray:
    """Factors that make the sums 1000, less or more by a thousandth."""
    wanted = np.random.default_rng(6).uniform(999, 1001, (len(terms), 1))
    return (wanted / terms.sum(axis=1, keepdims=True)).astype(terms.dtype)


@pytest.mark.parametrize("dtype, within, beyond", [
    ("float64", 3, 1e12), ("float32", 3, 1e4), ("float16", 3, 100), ("bfloat16", 3, 30)])
def test_a_constant_may_differ_in_its_last_places(dtype: str, within: float, beyond: float) -> None:
    want = np.full((64, 5), 1000.1).astype(kind(dtype))
    for much, right in ((within, True), (beyond, False)):
        got = (want.astype(np.float64) * (1 + much * EPSILON[dtype])).astype(kind(dtype))
        assert passes(want, got) == right, much


def test_rounding_alone_is_not_taken_for_what_varies() -> None:
    last = np.random.default_rng(7).integers(-2, 3, (2, 64, 5)) * EPSILON["float32"]
    want, got = ((np.float32(0.7) * (1 + one)).astype(np.float32) for one in last)
    assert np.any(want != got)
    assert passes(want, got)


def test_float64_that_was_float32_may_be_off_as_float32_is() -> None:
    narrow = (1000 + NORMAL * 0.01).astype(np.float32)
    other = (narrow * np.float32(1 + 3 * EPSILON["float32"])).astype(np.float32)
    assert np.any(other != narrow)
    assert passes(narrow.astype(np.float64), other.astype(np.float64))
    assert not passes(narrow.astype(np.float64) / 3, other.astype(np.float64) / 3)


def test_float64_made_of_float32_scores_may_be_off_as_these_are() -> None:
    scores = NORMAL.astype(np.float32)
    other = (scores * np.float32(1 + 4e-6)).astype(np.float32)
    assert passes(1.6e9 + 60 * scores.astype(np.float64), 1.6e9 + 60 * other.astype(np.float64))


def test_complex_numbers_are_held_to_their_floats() -> None:
    want = (1.6e9 + RANDOM.uniform(0, 60, (64, 5))) * (1 + 1j)
    assert passes(want, want.copy())
    assert not passes(want, np.full_like(want, np.median(want)))
