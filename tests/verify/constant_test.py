"""What is off alike in every answer is no noise, as long as it is little; a lost bias is much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Verification, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import allowed_by, transform_list
from estimator_slim.verify.answers.asking import Heard, Job, ask_here
from estimator_slim.verify.comparison.judging import compare
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.request import Output, Request
from tests.support.by_hand import servable, v1, variable
from tests.verify.squashed import Weights

LISTS = {8: "quantize_weights(minimum_size=1)", 16: "quantize_weights(bits=16, minimum_size=1)"}


def padded(length: int, pooled: Callable[[Weights, Any], Any], bias: Any = 0.0) -> Callable[[], Any]:
    """Texts of any length, padded to one length; `pooled` makes one row of all of them."""
    def made() -> Any:
        weights, text = Weights(3), v1.placeholder(tf.string, [None], "text")
        ids = 1 + tf.strings.to_hash_bucket_fast(tf.strings.split(text), 8999)
        rows = tf.gather(variable("table", TABLE), ids.to_tensor(0, shape=[None, length]))
        scores = weights.dense(pooled(weights, rows), 3) + np.array(bias, np.float32)
        return {"text": text}, {"scores": scores, "probabilities": tf.nn.softmax(scores)}
    return made


TABLE = np.random.default_rng(3).uniform(-0.5, 0.5, (9000, 16)).astype(np.float32)


def averaged(_: Weights, rows: Any) -> Any:
    return tf.reduce_mean(rows, 1)


def attended(weights: Weights, rows: Any) -> Any:
    """By attention that does not know which words are padding."""
    asked = tf.nn.softmax(tf.einsum("btc,cd->btd", rows, weights(16, 1)), axis=1)
    return tf.reduce_sum(asked * rows, 1)


def averaged_with_places(weights: Weights, rows: Any) -> Any:
    """With what each place in the text adds to its word, behind a layer."""
    length = rows.shape[1]
    placed = rows + variable("places", TABLE[100:100 + length] * 0.1)
    return tf.nn.tanh(weights.dense(tf.reduce_mean(placed, 1), 16))


def compared(original: str, other: str, bits: int) -> Verification:
    """Asks a servable and the slim one that is made of another."""
    directory = f"{other}-slim-{bits}"
    optimize_saved_model(other, directory, LISTS[bits], verify="off")
    requests = made_up_requests(read_servable(original))
    heard = ask_here([Job(one, requests, grappler=False) for one in (original, directory)])
    return compare(requests, *heard, allowed_by(transform_list(LISTS[bits])))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("length, pooled", [
    (20, averaged), (50, averaged), (200, averaged), (200, attended), (100, averaged_with_places)])
def test_the_padding_in_every_text_is_no_reason_to_refuse(
        length: int, pooled: Callable, bits: int, tmp_path: Any) -> None:
    original = servable(tmp_path, padded(length, pooled))
    found = compared(original, original, bits)
    assert found.failures == ()
    assert {output.clear_agreement for output in found.outputs} == {1.0}


@pytest.mark.parametrize("pooled", [averaged, attended, averaged_with_places])
def test_a_bias_that_is_lost_is_caught(pooled: Callable, tmp_path: Any) -> None:
    original = servable(tmp_path, padded(50, pooled, bias=[0.1, 0.0, -0.1]))
    found = compared(original, servable(tmp_path, padded(50, pooled)), 8)
    assert {failure.output for failure in found.failures} == {"scores", "probabilities"}


# ---- how much is little


VALUES = np.random.default_rng(8).normal(size=(200, 3)).astype(np.float32)
RANGE = float(np.ptp(VALUES))


def off_by(constant: Any, *, bits: int = 8, values: np.ndarray = VALUES, max_error: Any = None) -> bool:
    promises: dict[str, Any] = {"serve": {}}
    heard = (Heard(promises, [{"out": Output(one, one.shape)}])
             for one in (values, (values + np.asarray(constant)).astype(np.float32)))
    bounds = allowed_by(transform_list(LISTS[bits]), max_error=max_error)
    return compare([Request("serve", {}, "input_fn")], *heard, bounds).passed


@pytest.mark.parametrize("bits, allowed", [(8, 0.05), (16, 0.01)])
def test_it_is_a_quarter_of_what_is_allowed_of_the_range(bits: int, allowed: float) -> None:
    assert off_by(0.24 * allowed * RANGE, bits=bits)
    assert off_by([0, 0.24 * allowed * RANGE, 0], bits=bits)
    assert not off_by(0.26 * allowed * RANGE, bits=bits)
    assert not off_by([0, 0.26 * allowed * RANGE, 0], bits=bits)


def test_what_is_not_alike_in_all_rows_is_noise() -> None:
    signs = np.where(np.arange(len(VALUES)) % 2, 1, -1)[:, None]
    assert off_by(0.2 * 0.05 * RANGE)
    assert not off_by(0.2 * 0.05 * RANGE * 4 * signs)


def test_a_few_rows_do_not_tell_what_is_alike() -> None:
    assert not off_by(0.2 * 0.05 * RANGE, values=VALUES[:4])


def test_where_max_error_is_given_a_constant_is_held_to_it_alone() -> None:
    assert off_by(0.4 * RANGE, max_error=0.5)
    assert not off_by(0.6 * RANGE, max_error=0.5)
