"""Puts drawn values together as what an input takes: arrays, tf.Examples, sparse and ragged tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.verify.questions.cases import Case
from estimator_slim.verify.questions.composites import Composite
from estimator_slim.verify.questions.domain import Domains
from estimator_slim.verify.questions.drawing import draw
from estimator_slim.verify.questions.examples import serialized
from estimator_slim.verify.questions.served_inputs import ServedInput
from estimator_slim.verify.questions.wrapping import wrapped

_LONGEST_INNER = 6  # of rows inside of rows


def composed(rng: np.random.Generator, domains: Domains, one: ServedInput, case: Case,
             steps: np.ndarray) -> Any:
    """The value of an input.

    `steps`: how many values each row has. All inputs of any length share it, since some belong
    together: ids and their weights have to be equally many.
    """
    if one.features:
        shape = _sizes(one, case)
        rows = _examples(rng, domains, one, case, np.resize(steps, math.prod(shape)))
        return wrapped(rows, one.wraps).reshape(shape)
    shape = _sizes(one, case)
    if one.is_sparse:
        columns = shape[-1] if len(shape) > 1 else 1
        lengths = np.minimum(steps[:shape[0]], columns)
        values = draw(rng, domains.of(one.tensor, one.dtype), one.dtype, lengths, case)
        return tf.compat.v1.SparseTensorValue(_indices(lengths, len(shape)), values,
                                              _dense_shape(shape, case))
    lengths = np.full(shape[:1] or 1, math.prod(shape[1:]))
    drawn = draw(rng, domains.of(one.tensor, one.dtype), one.dtype, lengths, case)
    return wrapped(drawn, one.wraps).reshape(shape)


def composed_parts(rng: np.random.Generator, domains: Domains, composite: Composite, case: Case,
                   steps: np.ndarray) -> dict[str, np.ndarray]:
    """Input key → array, for the parts of a sparse or ragged tensor."""
    values, lengths = composite.values, steps[:case.rows]
    if composite.count is not None:
        lengths = np.full(case.rows, composite.count)
    lengths = np.minimum(lengths, composite.columns or lengths)
    if composite.indices is not None:
        shape, (size,) = composite.rest[0], composite.rest[0].shape
        rank = composite.indices.shape[1] or size or 2
        lengths = lengths if rank > 1 else np.minimum(lengths, 1)
        columns = composite.columns or int(lengths.max(initial=1))
        sizes = [case.rows, *[1] * (rank - 2), columns][:rank]
        rest = {composite.indices.key: _indices(lengths, rank), shape.key: _dense_shape(sizes, case)}
    else:
        rest = {}
        for number, part in enumerate(composite.rest):
            lengths = np.resize(np.minimum(steps, _LONGEST_INNER), lengths.sum()) if number else lengths
            rest[part.key] = np.append(0, np.cumsum(lengths)).astype(part.dtype.as_numpy_dtype)
    inner = [size or case.size for size in values.shape[1:]]
    drawn = draw(rng, domains.of(values.tensor, values.dtype), values.dtype,
                 lengths * math.prod(inner), case)
    return {values.key: drawn.reshape(-1, *inner), **rest}


def _sizes(one: ServedInput, case: Case) -> list[int]:
    return [size if size is not None else case.size if axis else case.rows
            for axis, size in enumerate(one.shape)]


def _examples(rng: np.random.Generator, domains: Domains, one: ServedInput, case: Case,
              steps: np.ndarray) -> np.ndarray:
    """Serialized Examples, one for each of `steps`."""
    rows: list[dict[str, np.ndarray]] = [{} for _ in steps]
    for feature in one.features:
        lengths = (steps if feature.any_length else np.full_like(steps, feature.count)) * feature.step
        values = draw(rng, domains.of(feature.tensor, feature.dtype), feature.dtype, lengths, case)
        missing = rng.random(len(rows)) < (0.0 if feature.required else case.missing)
        for row, left_out, part in zip(rows, missing, np.split(values, np.cumsum(lengths)[:-1])):
            if not left_out:
                row[feature.key] = part
    return serialized(one.features, rows)


def _indices(lengths: np.ndarray, rank: int) -> np.ndarray:
    """Of a few values at the start of each row, in order."""
    indices = np.zeros((int(lengths.sum()), rank), np.int64)
    indices[:, 0] = np.repeat(np.arange(len(lengths)), lengths)
    if rank > 1:
        indices[:, -1] = [column for length in lengths for column in range(length)]
    return indices


def _dense_shape(sizes: list[int], case: Case) -> np.ndarray:
    return np.array([-size if case.malformed else size for size in sizes], np.int64)
