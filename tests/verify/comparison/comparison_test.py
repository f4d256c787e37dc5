"""What comparing answers promises: what passes, what fails, and what a failure says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Verification
from estimator_slim.transforms import LOSSLESS, allowed_by, transform_list
from estimator_slim.verify.answers.asking import CRASH, Heard
from estimator_slim.verify.comparison.judging import compare
from estimator_slim.verify.request import Answer, Output, Refusal, Request

EIGHT = allowed_by(transform_list("quantize_weights"))
FOUR = allowed_by(transform_list("quantize_weights(bits=4)"))
RANDOM = np.random.default_rng(8)
ROWS = 64
SCORES = RANDOM.normal(size=(ROWS, 5)).astype(np.float32)
WORDS = np.array([f"word {i}".encode() for i in range(ROWS)], object)
NAMES = np.array([b"a", b"b", b"c", b"d", b"e"], object)


def compared(want: Any, got: Any, allowed: Any = EIGHT, *, labels: Any = None, origin: str = "asked",
             **options: Any) -> Verification:
    """One request to one signature: `want` and `got` are outputs by name, or a refusal."""
    request = Request("serve", {"words": WORDS}, origin, labels)
    promises = {"serve": {"method": "predict"}}
    return compare([request], heard(promises, want), heard(promises, got), allowed, **options)


def heard(promises: Any, *answers: Any) -> Heard:
    """Answers of outputs by name, as arrays, and refusals."""
    return Heard(promises, [answer if isinstance(answer, Refusal) else outputs(answer)
                            for answer in answers])


def outputs(arrays: dict[str, np.ndarray]) -> Answer:
    return {key: Output(value, value.shape) for key, value in arrays.items()}


def off(values: np.ndarray, decibels: float) -> np.ndarray:
    """The values with noise of that much less power than what varies in them."""
    noise = np.random.default_rng(9).normal(size=values.shape)
    noise *= np.std(values, axis=0) * 10 ** (-decibels / 20)
    return (values + noise).astype(values.dtype)


def sentences(found: Verification) -> str:
    return "\n".join(map(str, found.failures))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "int32",
                                   "bool", "object"])
@pytest.mark.parametrize("shape", [(), (0,), (ROWS,), (ROWS, 1), (ROWS, 5), (0, 5), (ROWS, 2, 3)],
                         ids=str)
def test_equal_answers_of_every_dtype_and_shape_pass_the_tightest_bounds(
        dtype: str, shape: tuple) -> None:
    kind = tf.bfloat16.as_numpy_dtype if dtype == "bfloat16" else np.dtype(dtype)
    values = np.asarray(np.round(RANDOM.normal(size=shape) * 8)).astype(kind)
    found = compared({"out": values}, {"out": np.array(values)}, LOSSLESS)
    assert found.passed, sentences(found)
    assert found.answered == 1


def test_floats_off_by_rounding_pass_the_bounds_of_lossless_lists() -> None:
    assert compared({"out": SCORES}, {"out": SCORES * np.float32(1 + 1e-6)}, LOSSLESS).passed


@pytest.mark.parametrize("transforms, passing, failing", [
    ("strip_unused_nodes", 90, 70), ("quantize_weights(bits=16)", 60, 45),
    ("quantize_weights", 40, 25), ("quantize_weights(bits=4)", 18, 9)])
def test_the_noise_that_is_allowed_goes_by_the_coarsest_transform(
        transforms: str, passing: float, failing: float) -> None:
    allowed = allowed_by(transform_list(f"fold_constants {transforms}"))
    assert compared({"out": SCORES}, {"out": off(SCORES, passing)}, allowed).passed
    found = compared({"out": SCORES}, {"out": off(SCORES, failing)}, allowed)
    assert "dB of signal to noise" in sentences(found) or "of its range" in sentences(found)


def test_the_measures_are_those_of_the_errors() -> None:
    (output,) = compared({"out": SCORES}, {"out": off(SCORES, 40)}).outputs
    assert (output.signature, output.output, output.dtype) == ("serve", "out", "float32")
    assert output.rows == ROWS
    error = np.abs(off(SCORES, 40).astype(np.float64) - SCORES)
    np.testing.assert_allclose(output.largest_error, error.max(), rtol=1e-12)
    np.testing.assert_allclose(output.mean_error, error.mean(), rtol=1e-12)
    np.testing.assert_allclose(output.range, np.ptp(SCORES.astype(np.float64)), rtol=1e-12)
    assert 38 < output.snr < 42  # the signal is taken from typical rows, so it is near, not equal


def test_a_constant_added_is_noise_however_small_the_output_varies() -> None:
    scores = np.float32(0.3333) + SCORES * np.float32(0.001)
    found = compared({"probabilities": scores}, {"probabilities": scores + np.float32(0.002)})
    assert "dB of signal to noise" in sentences(found)


def test_one_row_far_off_is_found_among_many_that_are_right_and_named_with_its_input() -> None:
    wrong = SCORES.copy()
    wrong[41] = -wrong[41] * 0.2
    found = compared({"out": SCORES}, {"out": wrong}, origin="warm-up")
    (failure,) = found.failures
    assert (failure.signature, failure.output) == ("serve", "out")
    assert "output 'out' of signature 'serve'" in failure.sentence
    assert "request 'warm-up', row 41: words=b'word 41'" in failure.sentence


def test_a_row_is_held_against_its_own_size_so_that_large_inputs_hide_nothing() -> None:
    large = np.concatenate([SCORES, SCORES[:8] * np.float32(1e6)])
    wrong = off(large, 200)
    wrong[:ROWS] = off(SCORES, 15)
    assert not compared({"out": large}, {"out": wrong}).passed
    right = np.concatenate([off(SCORES, 45), off(SCORES[:8] * np.float32(1e6), 45)])
    assert compared({"out": large}, {"out": right}).passed


def test_an_output_that_hardly_varies_is_held_against_its_size() -> None:
    constant = np.full((ROWS, 3), 7.0, np.float32)
    assert compared({"out": constant}, {"out": constant * np.float32(1.001)}).passed
    assert not compared({"out": constant}, {"out": constant * np.float32(1.2)}).passed
    assert not compared({"out": constant[:1]}, {"out": constant[:1] * 2}).passed


@pytest.mark.parametrize("want, got, passes", [
    (1.0, math.nan, False), (1.0, math.inf, False), (math.nan, 1.0, False), (math.inf, -math.inf, False),
    (math.nan, math.nan, True), (math.inf, math.inf, True), (-math.inf, -math.inf, True)])
def test_what_is_not_finite_is_so_in_both_or_it_is_a_failure(
        want: float, got: float, passes: bool) -> None:
    wanted, gotten = SCORES.copy(), SCORES.copy()
    wanted[3, 1], gotten[3, 1] = want, got
    found = compared({"out": wanted}, {"out": gotten})
    assert found.passed == passes
    assert passes or f"is {got:.3g} where the original's is {want:.3g}" in sentences(found)


@pytest.mark.parametrize("want, got, message", [
    (Refusal("InvalidArgumentError", "no"), Refusal("InvalidArgumentError", "other words"), ""),
    (Refusal("InvalidArgumentError", "no"), Refusal("NotFoundError", "gone"),
     "refuses with NotFoundError: gone what the original refuses with InvalidArgumentError: no"),
    (Refusal("InvalidArgumentError", "no"), {"out": SCORES}, "answers what the original refuses"),
    ({"out": SCORES}, Refusal("InvalidArgumentError", "no"),
     "refuses what the original answers, with InvalidArgumentError: no"),
    ({"out": SCORES}, Refusal(CRASH, "SIGABRT"), "what the original answers, with Crash: SIGABRT"),
    (Refusal(CRASH, "SIGABRT"), {"out": SCORES}, ""),
    (Refusal("DeadlineExceededError", ""), {"out": SCORES}, ""),
    ({"out": SCORES}, {"out": SCORES.astype(np.float64)},
     r"output 'out' of signature 'serve' is float64 [64, 5] instead of float32 [64, 5]"),
    ({"out": SCORES}, {"out": SCORES[:, :4]}, "is float32 [64, 4] instead of float32 [64, 5]"),
    ({"out": WORDS}, {"out": WORDS[:9]}, "is string [9] instead of string [64]"),
    ({"out": SCORES}, {}, "is missing instead of float32 [64, 5]"),
])
def test_what_the_original_refuses_is_refused_and_what_it_answers_is_answered_alike(
        want: Any, got: Any, message: str) -> None:
    found = compared(want, got)
    assert found.passed == (not message)
    assert message in sentences(found)


@pytest.mark.parametrize("words", [
    np.array([], object), tf.compat.v1.SparseTensorValue(np.zeros((0, 2)), np.array([]), [0, 3])])
def test_an_empty_batch_that_only_one_of_both_answers_keeps_nobody_from_using_the_slim_servable(
        words: Any) -> None:
    refused, answered = Refusal("InvalidArgumentError", "no rows"), {"out": SCORES[:0]}
    otherwise = {"out": SCORES[:0, :2]}
    for want, got, warning in (
            (refused, answered, ""), (refused, refused, ""), (answered, answered, ""),
            (answered, refused, "refuses the empty batch, which the original answers"),
            (answered, otherwise, "answers the empty batch with 'out' in [0, 2] instead of [0, 5]")):
        found = asked_once(words, want, got)
        assert found.passed, sentences(found)
        assert bool(found.warnings) == bool(warning)
        assert warning in "".join(found.warnings)


@pytest.mark.parametrize("got", [
    Refusal(CRASH, "SIGABRT"), {"out": SCORES[:0].astype(np.float64)}, {}], ids=["crash", "dtype", "no"])
def test_no_crash_no_dtype_and_no_output_is_forgiven_for_an_empty_batch(got: Any) -> None:
    assert not asked_once(np.array([], object), {"out": SCORES[:0]}, got).passed


def test_a_batch_of_rows_without_values_is_no_empty_batch() -> None:
    none = {"words.0": np.array([], object), "words.1": np.zeros([3], np.int64)}
    refused = Refusal("InvalidArgumentError", "no words")
    for got in (refused, {"out": SCORES[:3, :2]}):
        found = compare([Request("serve", none, "asked")], heard({"serve": {}}, {"out": SCORES[:3]}),
                        heard({"serve": {}}, got), EIGHT)
        assert not found.passed


def asked_once(words: Any, want: Any, got: Any) -> Verification:
    return compare([Request("serve", {"words": words}, "asked")], heard({"serve": {}}, want),
                   heard({"serve": {}}, got), EIGHT)


@pytest.mark.parametrize("after, message", [
    ({}, "signature 'serve' is missing"),
    ({"serve": {"output 'out'": "int64 (None,)"}},
     "signature 'serve': output 'out' is int64 (None,) instead of float32 (None,)"),
    ({"serve": {"output 'out'": "float32 (None,)"}, "more": {}}, "signature 'more' is new"),
])
def test_signatures_promise_the_same(after: dict, message: str) -> None:
    before = {"serve": {"output 'out'": "float32 (None,)"}}
    found = compare([], Heard(before), Heard(after), EIGHT)
    assert message in sentences(found)


def test_a_slim_servable_that_cannot_be_loaded_fails_with_the_reason() -> None:
    slim = Heard(refused=Refusal("NotFoundError", "no such op"))
    found = compare([], Heard({"serve": {}}), slim, EIGHT)
    assert "it cannot be loaded: NotFoundError: no such op" in sentences(found)


# ---- decisions


def decided(scores: np.ndarray) -> dict[str, np.ndarray]:
    """What a classifier answers with these scores."""
    ids = scores.argmax(axis=1)[:, None]
    names = np.tile(NAMES, (len(scores), 1))
    return {"scores": scores, "class_ids": ids, "classes": NAMES[ids], "all_classes": names}


@pytest.mark.parametrize("allowed, decibels", [(EIGHT, 40), (FOUR, 18)])
def test_classes_may_change_with_scores_that_nearly_tie(allowed: Any, decibels: float) -> None:
    scores = SCORES.copy()
    scores[:8, 1] = scores[:8].max(axis=1) * np.float32(1.0001)
    slim = off(scores, decibels)
    assert np.any(slim.argmax(axis=1) != scores.argmax(axis=1))
    found = compared(decided(scores), decided(slim), allowed)
    assert found.passed, sentences(found)
    agreements = {o.output: o.agreement for o in found.outputs}
    assert agreements["class_ids"] == agreements["classes"] == agreements["scores"] < 1
    assert agreements["all_classes"] is None


@pytest.mark.parametrize("output, change", [
    ("class_ids", lambda values: values + 1), ("classes", lambda values: np.roll(values, 1)),
    ("all_classes", lambda values: values[:, ::-1])])
@pytest.mark.parametrize("allowed", [LOSSLESS, EIGHT, FOUR], ids=["lossless", "8 bits", "4 bits"])
def test_classes_do_not_change_where_scores_stay(output: str, change: Any, allowed: Any) -> None:
    got = decided(SCORES)
    got[output] = change(got[output])
    (failure,) = compared(decided(SCORES), got, allowed).failures
    assert failure.output == output
    assert "no score gives a reason" in failure.sentence
    assert "instead of" in failure.sentence


def test_one_class_that_changes_where_its_scores_stay_is_one_too_many() -> None:
    got = decided(SCORES)
    got["classes"] = got["classes"].copy()
    got["classes"][17] = b"never"
    found = compared(decided(SCORES), got, FOUR)
    assert "changed in 1 of 64 rows" in sentences(found)
    assert "[b'never'] instead of" in sentences(found)
    assert "row 17" in sentences(found)


def test_scores_that_change_places_and_are_no_near_tie_are_counted() -> None:
    want = np.eye(5, dtype=np.float32)[np.arange(ROWS) % 5]
    got = want.copy()
    got[:20] = np.roll(want[:20], 1, axis=1)
    loose = allowed_by(transform_list("quantize_weights"), max_error=1.0)
    found = compared(decided(want), decided(got), loose)
    assert not found.passed
    (scores,) = (o for o in found.outputs if o.output == "scores")
    assert scores.agreement == 44 / 64


@pytest.mark.parametrize("changed, passes", [(1, True), (20, False)])
def test_classes_of_scores_that_are_not_shown_may_change_by_chance_only(
        changed: int, passes: bool) -> None:
    want = {"classes": NAMES[SCORES.argmax(axis=1)]}
    got = {"classes": want["classes"].copy()}
    got["classes"][:changed] = b"other"
    assert compared(want, got, FOUR).passed == passes
    assert not compared(want, got, LOSSLESS).passed
    assert not compared(want, got, FOUR, fixed=frozenset({("serve", "classes")})).passed


def test_of_the_best_few_those_that_nearly_tie_may_change_places() -> None:
    scores = np.sort(SCORES, axis=1)[:, ::-1].copy()
    scores[5, 2] = scores[5, 1] - np.float32(1e-4)
    names = np.tile(NAMES, (ROWS, 1))
    swapped = names.copy()
    swapped[5, [1, 2]] = swapped[5, [2, 1]]
    slim = off(scores, 45)
    assert compared({"top": scores, "names": names}, {"top": slim, "names": swapped}).passed
    swapped[7, [0, 4]] = swapped[7, [4, 0]]
    swapped[8:40] = swapped[8:40, ::-1]
    assert not compared({"top": scores, "names": names}, {"top": slim, "names": swapped}).passed


# ---- what is asked and counted


def test_labels_make_accuracies_of_both() -> None:
    labels = SCORES.argmax(axis=1)[:, None].copy()
    labels[:16] = (labels[:16] + 1) % 5
    slim = SCORES.copy()
    slim[60:] = -slim[60:]
    found = compared(decided(SCORES), decided(slim), labels=labels)
    results = {o.output: o for o in found.outputs}
    for output in ("class_ids", "scores"):
        right = np.mean(slim.argmax(axis=1) == labels[:, 0])
        assert (results[output].accuracy, results[output].slim_accuracy) == (0.75, right)
    assert results["classes"].accuracy is None


def test_labels_may_be_names() -> None:
    labels = np.array([name.decode() for name in NAMES[SCORES.argmax(axis=1)]])
    found = compared(decided(SCORES), decided(SCORES), labels=labels)
    assert {o.output: o.accuracy for o in found.outputs}["classes"] == 1.0


def test_a_signature_of_which_nothing_is_answered_is_unverified() -> None:
    promises = {"serve": {}, "other": {}}
    asked = [Request("serve", {}, "asked"), Request("other", {}, "asked")]
    answers = [{"out": SCORES}, Refusal("InvalidArgumentError", "no")]
    found = compare(asked, heard(promises, *answers), heard(promises, *answers), EIGHT)
    assert found.passed
    assert (found.answered, found.refused) == (1, 1)
    (why,) = found.unverified
    assert "signature 'other': the original answered none of the 1 questions" in why


@pytest.mark.parametrize("origins, refused, warns", [
    (["a typical batch", "a batch of 1"], 1, True), (["input_fn", "input_fn", "input_fn"], 1, False),
    (["input_fn", "input_fn", "input_fn"], 2, True), (["large numbers", "input_fn"], 1, False)])
def test_a_signature_that_refuses_over_a_third_of_what_is_usual_is_named_with_its_first_error(
        origins: list[str], refused: int, warns: bool) -> None:
    asked = [Request("serve", {}, origin) for origin in origins]
    errors = [Refusal("InvalidArgumentError", f"no {number}") for number in range(refused)]
    answers = [*errors, *({"out": SCORES} for _ in origins[refused:])]
    found = compare(asked, heard({"serve": {}}, *answers), heard({"serve": {}}, *answers), EIGHT)
    assert found.passed
    why = "".join(found.unverified)
    assert ("little of it, since the original refused" in why) == warns
    assert ("It refused the first with InvalidArgumentError: no 0" in why) == warns


@pytest.mark.parametrize("transforms, cases", [
    ("fold_constants", []), ("quantize_weights", ["infinite numbers"]),
    ("quantize_nodes", ["infinite numbers", "not a number"])])
def test_what_no_right_servable_can_promise_is_not_judged(transforms: str, cases: list[str]) -> None:
    allowed = allowed_by(transform_list(transforms))
    passing = [origin for origin in ("infinite numbers", "not a number", "large numbers")
               if compared({"out": SCORES}, {"out": -SCORES}, allowed, origin=origin).passed]
    assert passing == cases


def test_rows_that_are_not_finite_widen_no_range() -> None:
    want = SCORES + np.float32(1000)
    got = off(want, 25)
    want[5], got[5] = np.nan, np.nan
    found = compared({"scores": want}, {"scores": got})
    assert "dB of signal to noise" in sentences(found)
    assert found.outputs[0].range < 20


def test_what_a_row_that_is_not_finite_decides_is_no_reason_to_doubt_the_others() -> None:
    scores = SCORES.copy()
    scores[:8, 1] = scores[:8].max(axis=1) * np.float32(1.0001)
    want, got = decided(scores), decided(off(scores, 40))
    for answer in (want, got):
        answer["scores"] = answer["scores"].copy()
        answer["scores"][20:30] = np.nan
        answer["classes"][20:30] = b"none"
        answer["class_ids"][20:30] = 7
    found = compared(want, got)
    assert found.passed, sentences(found)
    got["classes"][20] = NAMES[0]
    assert "no score gives a reason" in sentences(compared(want, got))


def test_unsteady_outputs_are_left_out_and_named() -> None:
    want, got = {"out": SCORES, "drawn": SCORES}, {"out": SCORES, "drawn": -SCORES}
    found = compared(want, got, unsteady=frozenset({("serve", "drawn")}))
    assert found.passed
    assert [o.output for o in found.outputs] == ["out"]
    assert "output 'drawn' of signature 'serve': the original answers otherwise" in found.unverified[0]


def test_a_request_is_shown_as_what_it_says_and_shortened() -> None:
    example = tf.train.Example()
    example.features.feature["words"].bytes_list.value.extend([b"turn", b"on"])
    texts = np.array([example.SerializeToString(), b"x" * 1000, b"more"], object)
    request = Request("serve", {"examples": texts}, "a file")
    for row, shown in ((0, "row 0: examples={'words': [b'turn', b'on']}"), (1, "row 1: examples=b'xxx")):
        got = np.zeros(3, np.float32)
        got[row] = 9.0
        promises = {"serve": {}}
        found = compare([request], heard(promises, {"out": np.zeros(3, np.float32)}),
                        heard(promises, {"out": got}), EIGHT)
        assert shown in sentences(found)
        assert len(sentences(found)) < 500


def test_an_output_that_is_all_zero_is_held_against_one() -> None:
    zero = np.zeros((ROWS, 3), np.float32)
    assert compared({"out": zero}, {"out": zero + np.float32(1e-40)}).passed
    assert not compared({"out": zero}, {"out": zero + np.float32(0.2)}).passed


def tags_of(scores: np.ndarray) -> np.ndarray:
    return scores.argmax(axis=-1)


SEQUENCES = RANDOM.normal(size=(ROWS, 60, 20)).astype(np.float32)


@pytest.mark.parametrize("shown", [True, False], ids=["beside their scores", "alone"])
def test_each_tag_of_a_sequence_is_a_decision(shown: bool) -> None:
    def answer(scores: np.ndarray) -> dict[str, np.ndarray]:
        return {"tags": tags_of(scores), **({"scores": scores} if shown else {})}

    noisy = off(SEQUENCES, 45)
    assert np.mean((tags_of(noisy) != tags_of(SEQUENCES)).any(axis=1)) > 0.1
    found = compared(answer(SEQUENCES), answer(noisy))
    assert found.passed, sentences(found)
    tags, = [o for o in found.outputs if o.output == "tags"]
    assert tags.rows == ROWS * 60 and 0.99 < tags.agreement < 1


def test_tags_that_their_scores_give_no_reason_for_fail_and_the_row_is_named() -> None:
    tags = tags_of(SEQUENCES)
    tags[17, 3] = (tags[17, 3] + 1) % 20
    found = compared({"tags": tags_of(SEQUENCES), "scores": SEQUENCES},
                     {"tags": tags, "scores": SEQUENCES})
    assert "changed in 1 of 3840 rows, for which no score gives a reason" in sentences(found)
    assert "row 17: words=b'word 17'" in sentences(found)


def test_tags_without_scores_are_held_to_the_agreement() -> None:
    tags = tags_of(SEQUENCES)
    tags[:, ::20] = (tags[:, ::20] + 1) % 20
    assert not compared({"tags": tags_of(SEQUENCES)}, {"tags": tags}).passed
