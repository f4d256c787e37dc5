"""Every model of the zoo is asked made-up questions: it answers, and what is right is let through."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from estimator_slim.options import DEFAULT
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import allowed_by, transform_list
from estimator_slim.verify.answers.asking import Heard, Job, ask_here
from estimator_slim.verify.comparison.judging import compare, fixed_outputs
from estimator_slim.verify.questions.cases import TYPICAL
from estimator_slim.verify.questions.sources import questions_for
from estimator_slim.verify.request import Refusal, Request
from tests.support.by_hand import v1
from tests.support.models import MODELS

LISTS = {"default": DEFAULT, "4 bits": "quantize_weights(bits=4)",
         "simplified": DEFAULT.replace(" quantize_weights", ""), "16 bits": "quantize_weights(bits=16)",
         "quantize_nodes": "quantize_nodes quantize_weights"}
# One for each model, in turn: where round_trip_test.py has it too the slim servable is made once.
IN_TURN = ("default", "4 bits", "16 bits", "4 bits",
           "simplified", "16 bits", "default", "quantize_nodes")
# Where pixels are in the millions, its activations are too coarse in 256 steps: refusing it is right.
TOO_COARSE = ("conv2d_fused_batch_norm", "quantize_nodes")
ONE_ROW_ONLY = ("batch_of_fixed_size",)


@dataclass(frozen=True)
class Original:
    """A model's questions and answers, the outputs that are fixed, and the names of its signatures."""

    requests: list[Request]
    heard: Heard
    fixed: frozenset
    served: frozenset


@pytest.fixture(scope="module")
def original(once: Callable, exported: Callable) -> Callable[[str], Original]:
    """`original(model)`: asked once."""
    def asked(model: str) -> Original:
        servable = read_servable(exported(model))
        requests = questions_for(servable)
        return Original(requests, answered(exported(model), requests), fixed_outputs(servable.graph),
                        frozenset(servable.graph.interface.served()))
    return lambda model: once(f"asked/{model}", lambda _: asked(model))


def answered(directory: str, requests: list[Request]) -> Heard:
    heard, = ask_here([Job(directory, requests, grappler=False)])
    assert heard.refused is None
    return heard


@pytest.mark.parametrize("model", [pytest.param(name, marks=[pytest.mark.long] if number % 2 else [])
                                   for number, name in enumerate(MODELS)])
def test_the_original_answers_a_typical_batch_for_every_signature(
        original: Callable, model: str) -> None:
    known = original(model)
    rows = {request.signature: max(map(length, request.inputs.values()))
            for request, answer in zip(known.requests, known.heard.answers)
            if request.origin == TYPICAL.name and not isinstance(answer, Refusal)}
    assert rows == dict.fromkeys(known.served, 1 if model in ONE_ROW_ONLY else TYPICAL.rows)


def length(value: Any) -> int:
    """Of a batch; of a number 1."""
    shape = value.dense_shape if isinstance(value, v1.SparseTensorValue) else getattr(value, "shape", ())
    return int(shape[0]) if len(shape) else 1


def pairs() -> list[Any]:
    """Every model with every list; one list for each third model, in turn, is tried always."""
    turns = {pair if pair != TOO_COARSE else (pair[0], "default")
             for pair in itertools.islice(zip(MODELS, itertools.cycle(IN_TURN)), 0, None, 3)}
    return [pytest.param(model, name, marks=[] if (model, name) in turns else [pytest.mark.long])
            for model in MODELS for name in LISTS if (model, name) != TOO_COARSE]


@pytest.mark.parametrize("model, name", pairs())
def test_a_slim_servable_as_it_should_be_passes(
        original: Callable, slim: Callable, model: str, name: str) -> None:
    known = original(model)
    found = compare(known.requests, known.heard, answered(slim(model, LISTS[name]), known.requests),
                    allowed_by(transform_list(LISTS[name])), fixed=known.fixed)
    assert found.answered > 0
    assert found.unverified == ()
    assert found.failures == ()
