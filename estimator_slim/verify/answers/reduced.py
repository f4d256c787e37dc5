"""Of what a maker reads and makes, what is kept: as little as tells whether a change has a reason.

The scores of a million items are a few numbers a row: those of the chosen items, the best of the rest,
and some others that tell how far scores are off.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from estimator_slim.verify.answers.bases import (
    BOUNDARIES,
    CHOICES,
    COMPARISONS,
    MadeBy,
    Maker,
)
from estimator_slim.verify.request import IN_ANY_ORDER, Basis, Choice, Steps, evenly

_SAMPLE = 16        # scores of a row
_AT_ONCE = 1 << 20  # values
_NUMBER = re.compile(rb"[-+]?\d+(?:\.(\d*))?(?:[eE]([-+]?\d+))?")

def bases_of(made_by: MadeBy, values: Mapping[str, np.ndarray],
             shape: tuple[int, ...]) -> tuple[Basis | None, ...]:
    """The bases of an output of this shape in one answer; none where one of its makers has other rows.

    Args:
      made_by: what makes the output.
      values: tensor name → its value, of all that makers read and make.
      shape: of the output.

    Returns:
      One for each maker, in order; None for one before others that has other rows.
    """
    every = made_by.every()
    number = {maker.op.name: n for n, maker in enumerate(every)}
    found = []
    for maker in every:
        basis = _basis(maker, [values[tensor.name] for tensor in maker.tensors])
        basis = _fitted(basis, shape) if basis else None
        if basis is None and maker in made_by.direct:
            return ()
        before = tuple(number[one.op.name] for one in maker.before)
        found.append(basis and replace(basis, before=before, direct=maker in made_by.direct))
    return tuple(found)


def _fitted(basis: Basis, shape: tuple[int, ...]) -> Basis | None:
    """The same with a row for each row of an output of this shape; None where it has other rows."""
    if basis.made.shape[:1] == shape[:1] != ():
        return basis
    if shape == ():
        return basis.each(lambda array: array[None])
    if isinstance(basis, Steps) and basis.made.size == math.prod(shape):
        return basis.each(lambda array: array.reshape(shape))
    return None


def _basis(maker: Maker, values: Sequence[np.ndarray]) -> Basis | None:
    """What one of them made; None where that is nothing, or there is no telling from what."""
    *read, made = values
    if not all(value.size for value in values):
        return None
    if maker.op.type in CHOICES:
        return _choice(maker.op, read[0], made)
    if maker.op.type == "StringFormat":
        return _formatted(maker.op, read, made)
    if maker.op.type in COMPARISONS:
        return _compared(maker.op.type, read[0], read[1], made)
    number = read[1] if maker.op.type in BOUNDARIES else read[0]
    moving = number.astype(np.float64)
    return _steps(maker.op.type, made, number, moving, _edge(maker.op, moving, made, read))


# ---- choices


def _choice(op: tf.Operation, scores: np.ndarray, made: np.ndarray) -> Basis:
    best = op.type in ("ArgMax", "ArgMin")
    if best:
        scores = np.moveaxis(scores, int(tf.get_static_value(op.inputs[1])), -1)
        made = made[..., None]
    rows = scores.reshape(-1, scores.shape[-1])
    kept = _chosen_and_next(rows, made.reshape(len(rows), -1), op.type == "ArgMin")
    sample = rows[:, evenly(rows.shape[1], min(_SAMPLE, rows.shape[1]))]
    kind = op.type if best or op.get_attr("sorted") else op.type + IN_ANY_ORDER
    return Choice(kind, made, sample.reshape(*scores.shape[:-1], -1), (), True,
                  kept.reshape(*scores.shape[:-1], -1))


def _chosen_and_next(scores: np.ndarray, chosen: np.ndarray, least: bool) -> np.ndarray:
    """Scores of the chosen and the best of the rest, [rows, k + 1]; negative where the least is best."""
    kept = np.empty((len(scores), chosen.shape[1] + 1), scores.dtype)
    step = max(1, _AT_ONCE // scores.shape[1])
    for start in range(0, len(scores), step):
        block = slice(start, start + step)
        part = scores[block].astype(np.float32 if scores.dtype.itemsize <= 4 else np.float64)
        part = -part if least else part
        kept[block, :-1] = np.take_along_axis(part, chosen[block], 1)
        np.put_along_axis(part, chosen[block], -np.inf, 1)
        kept[block, -1] = np.fmax.reduce(part, axis=1)
    return kept


# ---- steps


def _steps(kind: str, made: np.ndarray, floats: np.ndarray, moving: np.ndarray,
           edge: np.ndarray) -> Steps:
    return Steps(kind, made, floats, (), True, moving, edge)


def _compared(kind: str, left: np.ndarray, right: np.ndarray, made: np.ndarray) -> Steps:
    """Of scores and a threshold, which does not move, or of scores and others."""
    with np.errstate(invalid="ignore"):
        apart = left.astype(np.float64) - right.astype(np.float64)
    fewer, scores = sorted((left, right), key=lambda value: (value.ndim, value.size))
    if fewer.shape == scores.shape:
        return _steps(kind, made, apart, apart, np.abs(apart))
    floats = np.array(np.broadcast_to(scores, made.shape))
    is_threshold = fewer.ndim < scores.ndim or len(fewer) < len(scores)
    moving = floats.astype(np.float64) if is_threshold else apart
    return _steps(kind, made, floats, moving, np.abs(apart))


def _edge(op: tf.Operation, values: np.ndarray, made: np.ndarray,
          read: Sequence[np.ndarray]) -> np.ndarray:
    """How far each value is from where the next step begins."""
    with np.errstate(invalid="ignore"):
        if op.type in ("Round", "Rint"):
            return np.abs(values - np.floor(values) - 0.5)
        if op.type == "Sign" or (op.type == "Cast" and made.dtype == bool):
            return np.abs(values)
        if op.type == "Cast":  # which cuts off: all between -1 and 1 is 0
            return np.abs(values - np.where(np.abs(values) < 1, np.copysign(1, values), np.rint(values)))
        if op.type in ("Floor", "Ceil"):
            return np.abs(values - np.rint(values))
    if op.type == "Bucketize":
        return _to_nearest(values, np.asarray(op.get_attr("boundaries"), np.float64))
    if op.type in BOUNDARIES:
        return np.stack([_to_nearest(row, np.sort(bounds)) for row, bounds in zip(values, read[0])])
    exact = op.get_attr("shortest")  # digits are left out where they are 0: there is no telling how many
    return np.zeros(values.shape) if exact else _to_next_digit(values, made)


def _to_nearest(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    ends = np.concatenate([[-np.inf], bounds.astype(np.float64), [np.inf]])
    above = np.searchsorted(ends[1:-1], values) + 1
    return np.minimum(np.abs(values - ends[above - 1]), np.abs(ends[above] - values))


def _to_next_digit(values: np.ndarray, texts: np.ndarray) -> np.ndarray:
    edges = [_printed_edge(value, text) for value, text in zip(values.ravel(), texts.ravel())]
    return np.array(edges).reshape(values.shape)


def _printed_edge(value: float, text: bytes) -> float:
    """How far a number is from being printed otherwise: 0.123 as `0.12` is 0.002 from `0.13`."""
    found = _NUMBER.search(text)
    if not found:
        return math.nan
    shown, unit = float(found[0]), 10.0 ** (int(found[2] or 0) - len(found[1] or b""))
    edge = max(0.0, unit / 2 - abs(value - shown))
    return edge if shown else min(edge, abs(value))  # 0.00 becomes -0.00


def _formatted(op: tf.Operation, read: Sequence[np.ndarray], made: np.ndarray) -> Steps | None:
    """Of a template that numbers were printed into; None where not all of them are shown."""
    template, place = op.get_attr("template"), op.get_attr("placeholder")
    found = re.fullmatch(rb"(.*)".join(map(re.escape, template.split(place))), made.item(), re.DOTALL)
    printed = [_NUMBER.finditer(group) for group in (found.groups() if found else ())]
    texts = [[number[0] for number in numbers] for numbers in printed]
    if [len(one) for one in texts] != [value.size for value in read]:
        return None
    numbers = np.concatenate([[0.0], *(value.ravel().astype(np.float64) for value in read)])
    edge = np.concatenate([[np.inf], np.zeros(len(numbers) - 1)])
    steps = np.array([template, *(text for one in texts for text in one)], object)
    return _steps(op.type, steps, numbers, numbers, edge)
