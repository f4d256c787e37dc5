"""Questions made from the graph itself: for every signature a typical batch, and the edge cases."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.saved_model.reader import Servable
from estimator_slim.verify import cases
from estimator_slim.verify.cases import CASES, TYPICAL, Case
from estimator_slim.verify.domain import Domains
from estimator_slim.verify.drawing import draw
from estimator_slim.verify.examples import serialized
from estimator_slim.verify.request import Request
from estimator_slim.verify.served_inputs import ServedInput, signature_inputs


def made_up_requests(servable: Servable, *, seed: int = 0) -> list[Request]:
    """Requests to every served signature, the same for the same `seed`.

    Words and ids are such as the servable's lookup tables, assets and weights know, where its graph
    tells. Signatures with equal inputs get equal requests. The original need not answer every one.
    """
    domains = Domains(servable)
    return [Request(key, made, case.name)
            for key, inputs in signature_inputs(servable, domains.consumers)
            for case, made in _made(inputs, domains, seed)]


def _made(inputs: Sequence[ServedInput], domains: Domains,
          seed: int) -> Iterator[tuple[Case, dict[str, Any]]]:
    traits = {trait for one in inputs for trait in _traits(one, domains)}
    for number, case in enumerate(CASES):
        if case.of and case.of not in traits:
            continue
        times = TYPICAL.rows // _rows(inputs) if case is TYPICAL and cases.BATCH not in traits else 1
        rng = np.random.default_rng([seed, number])
        for _ in range(max(1, times)):
            steps = rng.integers(case.lengths[0], case.lengths[1] + 1, max(case.rows, _rows(inputs)))
            yield case, {one.key: _value(rng, domains, one, case, steps) for one in inputs
                         if not (one.optional and case.missing == 1.0)}


def _rows(inputs: Sequence[ServedInput]) -> int:
    """How many rows a request has where its inputs say how many."""
    return max([one.shape[0] or 1 for one in inputs if one.shape], default=1)


def _traits(one: ServedInput, domains: Domains) -> Iterator[str]:
    """What there is in an input that a case may be of."""
    if one.any_batch:
        yield cases.BATCH
    if one.optional or any(not feature.required for feature in one.features):
        yield cases.OPTIONAL
    if len(one.features) > 1:
        yield cases.FEATURES
    if (None in one.shape[1:] or any(feature.any_length for feature in one.features)
            or domains.of(one.tensor, one.dtype).separator):
        yield cases.LENGTHS
    for dtype in [feature.dtype for feature in one.features] or [one.dtype]:
        if dtype != tf.bool:
            yield (cases.STRINGS if dtype == tf.string else
                   cases.IDS if dtype.is_integer else cases.FLOATS)


def _value(rng: np.random.Generator, domains: Domains, one: ServedInput, case: Case,
           steps: np.ndarray) -> Any:
    """The value of an input; `steps`, how long a row is, is one for all that may have any length.

    Ids and their weights, for one, have to be equally many.
    """
    if one.features:
        return _examples(rng, domains, one, case, steps)
    if one.is_sparse:
        return _sparse(rng, domains, one, case, steps)
    shape = _sizes(one, case)
    lengths = np.full(shape[:1] or 1, math.prod(shape[1:]))
    return draw(rng, domains.of(one.tensor, one.dtype), one.dtype, lengths, case).reshape(shape)


def _sizes(one: ServedInput, case: Case) -> list[int]:
    return [size if size is not None else case.size if axis else case.rows
            for axis, size in enumerate(one.shape)]


def _examples(rng: np.random.Generator, domains: Domains, one: ServedInput, case: Case,
              steps: np.ndarray) -> Any:
    """Serialized Examples."""
    shape = _sizes(one, case)
    steps = np.resize(steps, math.prod(shape))
    rows: list[dict[str, np.ndarray]] = [{} for _ in steps]
    for feature in one.features:
        lengths = (steps if feature.any_length else np.ones_like(steps)) * feature.step
        values = draw(rng, domains.of(feature.tensor, feature.dtype), feature.dtype, lengths, case)
        missing = rng.random(len(rows)) < (0.0 if feature.required else case.missing)
        for row, left_out, part in zip(rows, missing, np.split(values, np.cumsum(lengths)[:-1])):
            if not left_out:
                row[feature.key] = part
    return serialized(one.features, rows).reshape(shape)


def _sparse(rng: np.random.Generator, domains: Domains, one: ServedInput, case: Case,
            steps: np.ndarray) -> Any:
    """A few values at the start of each row."""
    shape = _sizes(one, case)
    columns = shape[-1] if len(shape) > 1 else 1
    lengths = np.minimum(steps[:shape[0]], columns)
    indices = np.zeros((int(lengths.sum()), len(shape)), np.int64)
    indices[:, 0] = np.repeat(np.arange(shape[0]), lengths)
    if len(shape) > 1:
        indices[:, -1] = [column for length in lengths for column in range(length)]
    values = draw(rng, domains.of(one.tensor, one.dtype), one.dtype, lengths, case)
    return tf.compat.v1.SparseTensorValue(indices, values, np.array(shape, np.int64))
