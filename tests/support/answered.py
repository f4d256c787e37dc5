"""What an original is asked in the end, and how much of it is answered."""

from __future__ import annotations

from collections.abc import Sequence

from estimator_slim.saved_model.reader import read_servable
from estimator_slim.verify.answers.asking import Heard, Job, ask_here
from estimator_slim.verify.learning import learned
from estimator_slim.verify.questions.cases import MILD
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.request import Refusal, Request

USUAL = frozenset(case.name for case in MILD)


def asked(directory: str) -> tuple[list[Request], Heard]:
    """What the original in a directory is asked in the end, and what it answers."""
    def ask(requests: Sequence[Request]) -> Heard:
        heard, = ask_here([Job(directory, requests, grappler=False)])
        assert heard.refused is None, heard.refused
        return heard
    requests = made_up_requests(read_servable(directory))
    return learned(read_servable(directory), requests, ask(requests), ask)


def usual(requests: Sequence[Request], heard: Heard) -> dict[str, tuple[int, int]]:
    """Signature → (usual questions that it answered, usual questions)."""
    counts: dict[str, tuple[int, int]] = {}
    for request, answer in zip(requests, heard.answers):
        if request.origin in USUAL:
            known, of = counts.get(request.signature, (0, 0))
            counts[request.signature] = known + (not isinstance(answer, Refusal)), of + 1
    return counts


def answered(directory: str) -> float:
    """The share of the usual questions that are answered, of the signature with the least."""
    return min(known / of for known, of in usual(*asked(directory)).values())
