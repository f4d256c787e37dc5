"""What is wrong in a single row of a hundred is caught, whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from estimator_slim import Verification, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import allowed_by, transform_list
from estimator_slim.verify.answers.asking import Heard, Job, ask_here
from estimator_slim.verify.comparison.judging import compare, fixed_outputs
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.request import Request
from tests.support.by_hand import servable
from tests.verify.hiding import BREAKS, WORDS, best_hidden, network, words_of

EIGHT_BITS = "quantize_weights(minimum_size=1)"


@dataclass(frozen=True)
class Asked:
    """Made-up questions, what the original and its slim servables answered, and what no float makes."""

    requests: list[Request]
    number: int
    heard: dict[str, Heard]
    fixed: frozenset

    def compared(self, kind: str, origin: str) -> Verification:
        requests = [replace(request, origin=origin or request.origin) for request in self.requests]
        return compare(requests, self.heard["original"], self.heard[kind],
                       allowed_by(transform_list(EIGHT_BITS)), fixed=self.fixed)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: Any) -> Asked:
    folder = tmp_path_factory.mktemp("hiding")
    original = servable(folder, network())
    read = read_servable(original)
    requests = made_up_requests(read)
    number = best_hidden(requests)
    whole: dict[str, Callable] = {"whole": network()}
    networks = whole | {kind: network(broken, number) for kind, broken in BREAKS.items()}
    jobs = {"original": Job(original, requests, grappler=False)}
    for kind, made in networks.items():
        slim = str(folder / kind.replace(" ", "-"))
        optimize_saved_model(servable(folder, made), slim, EIGHT_BITS, verify="off")
        jobs[kind] = Job(slim, requests, grappler=False)
    heard = dict(zip(jobs, ask_here(list(jobs.values()))))
    return Asked(requests, number, heard, fixed_outputs(read.graph))


def test_the_word_that_is_broken_stands_in_one_row_of_a_hundred(asked: Asked) -> None:
    rows = [row for request in asked.requests for row in words_of(request)]
    assert 90 < len(rows) < 110
    assert sum(WORDS[asked.number] in row for row in rows) == 1


ORIGINS = pytest.mark.parametrize("origin", ["", "input_fn"], ids=["made up", "real"])


@ORIGINS
def test_an_unbroken_slim_servable_passes(asked: Asked, origin: str) -> None:
    assert asked.compared("whole", origin).failures == ()


@ORIGINS
@pytest.mark.parametrize("kind", BREAKS)
def test_a_break_in_one_row_is_caught(asked: Asked, kind: str, origin: str) -> None:
    assert not asked.compared(kind, origin).passed
