"""Questions made from the graph itself: for every signature a typical batch, and the edge cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.saved_model import Servable
from estimator_slim.verify.questions.cases import (
    BATCH,
    CASES,
    CHECKED_SHAPES,
    FEATURES,
    FLOATS,
    IDS,
    IDS_KNOWN,
    LENGTHS,
    NUMBERS,
    OPTIONAL,
    QUANTITIES,
    STRINGS,
    TYPICAL,
    WHOLE,
    Case,
)
from estimator_slim.verify.questions.composing import composed, composed_parts
from estimator_slim.verify.questions.domain import Domains, is_checked
from estimator_slim.verify.questions.hashed import Trained
from estimator_slim.verify.questions.served_inputs import (
    ServedInput,
    signature_inputs,
    without_calls,
)
from estimator_slim.verify.questions.ways import Taken, Way, ways
from estimator_slim.verify.request import Request

_Made = tuple[Case, dict[str, Any]]


def trained_requests(servable: Servable, trained: Trained, *, seed: int = 0) -> list[Request]:
    """Typical requests of words and ids that still have a row of their own, where others lost theirs.

    Args:
      servable: the original.
      trained: the tensor that ids come from (a hash, a vocabulary, a feature) → the ids that have one.
      seed: as of `made_up_requests`.
    """
    made = MadeUp(servable, seed=seed, trained=trained)
    return [request for key, taken in made.taken.items()
            for request in made.requests(key, Way(taken), [TYPICAL])]


def made_up_requests(servable: Servable, *, seed: int = 0) -> list[Request]:
    """Requests to every served signature, in the usual way, the same for the same `seed`.

    Words and ids are such as the servable's lookup tables, assets and weights know, where its graph
    tells. Signatures with equal inputs get equal requests; none is asked the same twice. The original
    need not answer every one.
    """
    made = MadeUp(servable, seed=seed)
    return [request for key, taken in made.taken.items() for request in made.requests(key, Way(taken))]


class MadeUp:
    """Makes up requests to the signatures of a servable, in one way or another."""

    def __init__(self, servable: Servable, *, seed: int = 0, trained: Trained = MappingProxyType({})):
        servable = without_calls(servable)
        self._domains, self._seed = Domains(servable, trained), seed
        consumers = self._domains.consumers
        self.taken = {key: Taken.of(inputs, self._domains)
                      for key, inputs in signature_inputs(servable, consumers, parts=True)}

    def ways(self, key: str) -> list[Way]:
        """Other ways than the usual one to ask signature `key`, those that differ least first."""
        return list(ways(self.taken[key], self._domains))

    def requests(self, key: str, way: Way, cases: Sequence[Case] = CASES) -> list[Request]:
        """What to ask signature `key` in that way, for those of the cases that are for its inputs."""
        made = _made(way, self._domains, cases, self._seed)
        return [Request(key, inputs, case.name) for case, inputs in _different(made)]


def _all_traits(way: Way, domains: Domains) -> set[str]:
    """What the inputs take, of what cases are for: `Case.of`."""
    found = {trait for one in way.taken.single for trait in _traits(one, domains)}
    for composite in way.taken.composites:
        found |= {LENGTHS} if composite.count is None else set()
        found |= set(_traits(composite.values, domains))
        if composite.indices and is_checked(domains.consumers, composite.rest[0].tensor):
            found.add(CHECKED_SHAPES)
    return found | ({IDS} if way.case.get("floats") in (IDS_KNOWN, WHOLE) else set())


def _made(way: Way, domains: Domains, cases: Sequence[Case], seed: int) -> Iterator[_Made]:
    traits, fixed = _all_traits(way, domains), way.taken.rows()
    for case in cases:
        if case.of and case.of not in traits:
            continue
        times = TYPICAL.rows // fixed if case.name == TYPICAL.name and BATCH not in traits else 1
        rng = np.random.default_rng([seed, NUMBERS[case.name]])
        for _ in range(max(1, times)):
            rows = max(case.rows, fixed)
            steps = rng.permutation(np.resize(rng.permutation(case.lengths), rows))
            yield case, _value(rng, way.taken, domains, replace(case, **way.case), steps)


def _different(made: Iterator[_Made]) -> Iterator[_Made]:
    """Drops what was made before, as happens where there are no inputs, or few values for them."""
    seen = set()
    for case, inputs in made:
        content = hash(tuple(_content(key, value) for key, value in inputs.items()))
        if content not in seen:
            seen.add(content)
            yield case, inputs


def _content(key: str, value: Any) -> tuple:
    parts = [np.asarray(part) for part in (value if hasattr(value, "dense_shape") else [value])]
    return (key, *((part.shape, tuple(part.flat) if part.dtype == object else part.tobytes())
                   for part in parts))


def _value(rng: np.random.Generator, taken: Taken, domains: Domains, case: Case,
           steps: np.ndarray) -> dict[str, Any]:
    made = {one.key: composed(rng, domains, one, case, steps) for one in taken.single
            if not (one.optional and case.missing == 1.0)}
    for composite in taken.composites:
        made |= composed_parts(rng, domains, composite, case, steps)
    return made


def _traits(one: ServedInput, domains: Domains) -> Iterator[str]:
    """What one input takes, of what cases are for."""
    if one.any_batch:
        yield BATCH
    if one.is_sparse and is_checked(domains.consumers, one.dense_shape):
        yield CHECKED_SHAPES
    if one.optional or any(not feature.required for feature in one.features):
        yield OPTIONAL
    if len(one.features) > 1:
        yield FEATURES
    if (None in one.shape[1:] or any(feature.any_length for feature in one.features)
            or domains.of(one.tensor, one.dtype).separator):
        yield LENGTHS
    values = [(feature.tensor, feature.dtype) for feature in one.features] or [(one.tensor, one.dtype)]
    for tensor, dtype in values:
        if dtype != tf.bool:
            domain = domains.of(tensor, dtype)
            yield _kind(dtype)
            yield from domain.unusual
            yield from [QUANTITIES] if domain.quantity else []


def _kind(dtype: tf.DType) -> str:
    if dtype == tf.string:
        return STRINGS
    return IDS if dtype.is_integer else FLOATS
