"""Learns from what the original refuses: it is asked in other ways, until it answers most of it.

Only signatures whose usual made-up questions are refused are asked otherwise, so a servable that is
understood costs nothing more. Many ways are tried in one go, with a few questions each, until all are
answered in one. The best way, the first of several, is the one in which the signature is then asked.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from estimator_slim import log
from estimator_slim.errors import VerificationError
from estimator_slim.saved_model import Servable
from estimator_slim.verify.answers import Heard
from estimator_slim.verify.questions import (
    MILD,
    TYPICAL,
    Feature,
    MadeUp,
    Trained,
    Way,
    is_made_up,
    narrowed,
    with_features,
)
from estimator_slim.verify.request import Answer, Refusal, Request

Ask = Callable[[Sequence[Request]], Heard]
T = TypeVar("T")

_MILD = frozenset(case.name for case in MILD)
_AT_ONCE = 24  # ways that are tried before it is seen whether one is right
_FEW = 4  # questions of a case that is asked often, where a signature takes a fixed number of rows


def learned(servable: Servable, requests: Sequence[Request], heard: Heard, ask: Ask,
            trained: Trained = MappingProxyType({})) -> tuple[list[Request], Heard]:
    """The questions to ask in the end, and what the original answers to them.

    Args:
      servable: the original.
      requests: what it was asked in the usual way.
      heard: what it answered.
      ask: asks it once more.
      trained: as of `trained_requests`, where rows were lost: it is asked for such that are there too.
    """
    keys = _refused(requests, heard)
    if not keys:
        return list(requests), heard
    made = MadeUp(servable)
    found = _found(made, keys, ask)
    others = MadeUp(servable, trained=trained) if trained else None
    new = [request for key, way in found.items() for request in (
        *made.requests(key, way), *(others.requests(key, way, [TYPICAL]) if others else ()))]
    again = _answers(ask, new)
    old = [(request, answer) for request, answer in zip(requests, heard.answers)
           if request.signature not in found or not is_made_up(request.origin)]
    both = in_turns([*old, *zip(new, again)])
    rest = [r for r in requests[len(heard.answers):] if r.signature not in found]
    return [*(r for r, _ in both), *rest], replace(heard, answers=[answer for _, answer in both])


def in_turns(asked: Sequence[tuple[Request, T]]) -> list[tuple[Request, T]]:
    """The first request of each signature, then the second ones: where time runs out, each was asked."""
    turns: dict[str, int] = defaultdict(int)
    numbered = []
    for request, answer in asked:
        numbered.append((turns[request.signature], request, answer))
        turns[request.signature] += 1
    return [(request, answer) for _, request, answer in sorted(numbered, key=lambda one: one[0])]


def _refused(requests: Sequence[Request], heard: Heard) -> list[str]:
    """The signatures that refuse more than a third of the mildest made-up questions."""
    counts: dict[str, list[bool]] = {}
    for request, answer in zip(requests, heard.answers):
        if request.origin in _MILD:
            counts.setdefault(request.signature, []).append(not isinstance(answer, Refusal))
    return sorted(key for key, told in counts.items() if 3 * sum(told) < 2 * len(told))


def _found(made: MadeUp, keys: Sequence[str], ask: Ask) -> dict[str, Way]:
    """Signature → the way that it answers best, where there is a better one than the usual."""
    best: dict[str, tuple[float, Way]] = {}
    ways = {key: iter([Way(made.taken[key]), *made.ways(key)]) for key in keys}
    while tried := [(key, way) for key in keys if best.get(key, (0.0,))[0] < 1.0
                    for way in itertools.islice(ways[key], _AT_ONCE)]:
        for (key, way), share in zip(tried, _shares(made, tried, ask)):
            if key not in best or share > best[key][0]:
                best[key] = share, way
    found = {key: way for key, (_, way) in best.items() if way.said}
    for key, way in found.items():
        log.info("estimator_slim: signature %r is asked with %s, since the original refuses what is "
                 "asked otherwise", key, " and ".join(way.said))
    return _widened(made, found, ask)


def _widened(made: MadeUp, found: Mapping[str, Way], ask: Ask) -> dict[str, Way]:
    """The ways with those features as usual that the original answers so: not each needs one value."""
    tried = [(key, change, with_features(way, change)) for key, way in found.items()
             for change in narrowed(way, made.taken[key])]
    changes: dict[str, dict[Feature, Feature]] = {}
    for (key, change, _), share in zip(tried, _shares(made, [(k, way) for k, _, way in tried], ask)):
        if share == 1.0:
            changes.setdefault(key, {}).update(change)
    return {key: with_features(way, changes.get(key, {})) for key, way in found.items()}


def _shares(made: MadeUp, tried: Sequence[tuple[str, Way]], ask: Ask) -> list[float]:
    """The share of a few mild questions to a signature, in one way, that the original answers."""
    asked = [_few(made.requests(key, way, MILD)) for key, way in tried]
    answers = iter(_answers(ask, [request for requests in asked for request in requests]))
    return [sum(not isinstance(answer, Refusal) for answer in itertools.islice(answers, len(requests)))
            / max(1, len(requests)) for requests in asked]


def _few(requests: Sequence[Request]) -> list[Request]:
    """Those of each case, but of one that is asked often no more than a few."""
    counts: dict[str, int] = defaultdict(int)
    few = []
    for request in requests:
        counts[request.origin] += 1
        few += [request] if counts[request.origin] <= _FEW else []
    return few


def _answers(ask: Ask, requests: Sequence[Request]) -> list[Answer]:
    """What the original answers; of what takes too long, or crashes again and again, nothing."""
    if not requests:
        return []
    try:
        return ask(requests).answers
    except VerificationError as error:
        log.info("estimator_slim: no other questions are tried, since %s", error)
        return []
