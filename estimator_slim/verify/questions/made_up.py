"""Questions made from the graph itself: for every signature a typical batch, and the edge cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.graph import inline_calls
from estimator_slim.saved_model import Servable
from estimator_slim.verify.questions.cases import (
    BATCH,
    CASES,
    CHECKED_SHAPES,
    FEATURES,
    FLOATS,
    IDS,
    LENGTHS,
    OPTIONAL,
    QUANTITIES,
    STRINGS,
    TYPICAL,
    Case,
)
from estimator_slim.verify.questions.composing import composed, composed_parts
from estimator_slim.verify.questions.composites import Composite, composites
from estimator_slim.verify.questions.domain import Domains, is_checked
from estimator_slim.verify.questions.served_inputs import ServedInput, signature_inputs
from estimator_slim.verify.request import Request

_Made = tuple[Case, dict[str, Any]]


def made_up_requests(servable: Servable, *, seed: int = 0) -> list[Request]:
    """Requests to every served signature, the same for the same `seed`.

    Words and ids are such as the servable's lookup tables, assets and weights know, where its graph
    tells. Signatures with equal inputs get equal requests; none is asked the same twice. The original
    need not answer every one.
    """
    servable = _without_calls(servable)
    domains = Domains(servable)
    return [Request(key, made, case.name)
            for key, inputs in signature_inputs(servable, domains.consumers, parts=True)
            for case, made in _different(_made(_Taken.of(inputs, domains), domains, seed))]


def _without_calls(servable: Servable) -> Servable:
    """The same with what TensorFlow 2 calls inlined, so that the consumers of its inputs are seen."""
    if not servable.graph.library.function:
        return servable
    graph = servable.graph.copy()
    inline_calls(graph)
    return replace(servable, graph=graph)


@dataclass(frozen=True)
class _Taken:
    """What a signature takes: sparse and ragged tensors in parts, and single inputs."""

    composites: Sequence[Composite]
    single: Sequence[ServedInput]

    @classmethod
    def of(cls, inputs: Sequence[ServedInput], domains: Domains) -> _Taken:
        found = composites(inputs, domains.consumers)
        parts = {part.key for one in found for part in one.parts()}
        return cls(found, [one for one in inputs if one.key not in parts])

    def rows(self) -> int:
        """How many rows a request has where the inputs say how many."""
        return max([one.shape[0] or 1 for one in self.single if one.shape], default=1)

    def traits(self, domains: Domains) -> set[str]:
        """What the inputs take, of what cases are for: `Case.of`."""
        found = {trait for one in self.single for trait in _traits(one, domains)}
        for composite in self.composites:
            found |= {LENGTHS, *_traits(composite.values, domains)}
            if composite.indices and is_checked(domains.consumers, composite.rest[0].tensor):
                found.add(CHECKED_SHAPES)
        return found


def _made(taken: _Taken, domains: Domains, seed: int) -> Iterator[_Made]:
    traits, fixed = taken.traits(domains), taken.rows()
    for number, case in enumerate(CASES):
        if case.of and case.of not in traits:
            continue
        times = TYPICAL.rows // fixed if case is TYPICAL and BATCH not in traits else 1
        rng = np.random.default_rng([seed, number])
        for _ in range(max(1, times)):
            rows = max(case.rows, fixed)
            steps = rng.permutation(np.resize(rng.permutation(case.lengths), rows))
            yield case, _value(rng, taken, domains, case, steps)


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


def _value(rng: np.random.Generator, taken: _Taken, domains: Domains, case: Case,
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
