"""Answers that hang on rows that were dropped: set apart, and judged by how many are right.

A servable without its untrained rows answers otherwise where a request asks for one of them, and has
to: to the original that row was a random vector. Which answers these are is found by asking the slim
servable once more, with another row in the place of those that were dropped. An answer that is the same,
bit by bit, whichever row stands there does not hang on it, and is held to the bounds like any other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from estimator_slim.report import Failure, OutputResult, Part
from estimator_slim.verify.answers import Heard
from estimator_slim.verify.comparison.column import Column
from estimator_slim.verify.comparison.decisions import accuracies, are_scores, is_single
from estimator_slim.verify.comparison.numbers import is_float
from estimator_slim.verify.request import Answer, Output, Refusal

Hanging = Mapping[str, np.ndarray]  # output → rows of it that hang on dropped rows, bool [rows]

_LOST = 0.005  # of the labelled answers, that may be right no more
_CHANCE = 3.0  # standard deviations of the number of answers that change to wrong, less those to right


def hanging(slim: Heard, other: Heard) -> list[Hanging]:
    """For each answer of a slim servable which rows of it hang on dropped rows.

    Args:
      slim: what it answers.
      other: and what with another row in the place of the dropped ones.
    """
    return [_hanging(one, another) for one, another in zip(slim.answers, other.answers)]


def _hanging(one: Answer, other: Answer) -> Hanging:
    if isinstance(one, Refusal) or isinstance(other, Refusal):
        return {}
    counts = [output.shape[0] if output.shape else 1 for output in one.values()]
    count = max(set(counts), key=counts.count, default=1)
    rows = np.zeros(count, bool)
    for key, output in one.items():
        if output.shape[:1] == (count,):
            rows |= _differing(output, other.get(key), count)
    return {key: rows if output.shape[:1] == (count,) else
            np.full(output.shape[0] if output.shape else 1, _differing(output, other.get(key), 1).any())
            for key, output in one.items()}


def _differing(output: Output, other: Output | None, count: int) -> np.ndarray:
    """Which of `count` rows differ; those that were not kept to be compared, too."""
    if other is None or output.values.shape != other.values.shape:
        return np.ones(count, bool)
    a, b = (_by_row(value.values) for value in (output, other))
    same = (a == b) | ((a != a) & (b != b))  # NaN is not equal to itself
    differs = np.ones(count, bool) if len(a) < count else np.zeros(count, bool)
    if count == 1:
        return np.array([not same.all()])
    differs[output.rows()] = ~same.all(axis=1)
    return differs


def _by_row(values: np.ndarray) -> np.ndarray:
    """[rows, n]; a scalar is one row."""
    rows = values if values.ndim else values.reshape(1)
    return rows.reshape(len(rows), math.prod(rows.shape[1:]))


def without_hanging(column: Column, found: Sequence[Hanging]) -> Column:
    """The column without the rows that hang on dropped rows; `found` is that of each of its answers."""
    kept = [~_of(one, column.output, rows) for one, rows in zip(found, column.rows)]

    def those(values: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [value[keep] if value.ndim else value if keep.all() else value.reshape(1)[:0]
                for value, keep in zip(values, kept)]

    return replace(
        column, want=those(column.want), got=those(column.got), rows=those(column.rows),
        want_bases=[tuple(basis and basis.each(lambda a, k=keep: a[k]) for basis in bases)  # type: ignore
                    for bases, keep in zip(column.want_bases, kept)],
        got_bases=[tuple(basis and basis.each(lambda a, k=keep: a[k]) for basis in bases)  # type: ignore
                   for bases, keep in zip(column.got_bases, kept)])


def _of(found: Hanging, output: str, rows: np.ndarray) -> np.ndarray:
    mask = found.get(output)
    return np.zeros(len(rows), bool) if mask is None else mask[rows]


def apart(those: Sequence[Column], found: Sequence[Hanging]) -> Part:
    """How many rows hang on dropped rows, how many of them decide something, and decide the same."""
    rows = max((sum(int(_of(one, column.output, at).sum()) for one, at in zip(found, column.rows))
                for column in those), default=0)
    for column in those:
        decided = _decided(column)
        if decided:
            masks = [_of(one, column.output, at) for one, at in zip(found, column.rows)]
            same = [_by_row(np.asarray(want == got)).all(axis=1)[mask]
                    for want, got, mask in zip(*decided, masks)]
            return Part(rows, decisions=sum(map(len, same)), same=int(sum(one.sum() for one in same)))
    return Part(rows)


def with_accuracy(result: OutputResult, column: Column) -> OutputResult:
    """The result of an output with the accuracies over all its answers, those that hang included."""
    decided = _decided(column)
    if not decided:
        return result
    before, after = accuracies(column.labels(), *decided)
    return replace(result, accuracy=before, slim_accuracy=after)


def lost_accuracy(those: Sequence[Column], most: float | None) -> Iterator[Failure]:
    """A failure for each output of which too many labelled answers are right no more.

    `most`: the share that may be; None: half a percent, and what chance may add to it.
    """
    for column in those:
        decided = _decided(column)
        if not decided:
            continue
        before, after = accuracies(column.labels(), *decided)
        if before is None or after is None:
            continue
        count = sum(label.size for label in column.labels() if label is not None)
        moved = sum(int((want != got).sum()) for want, got in zip(*decided))
        allowed = _LOST + _CHANCE * math.sqrt(moved) / count if most is None else most
        if before - after > allowed + 1e-9:
            yield Failure(column.signature, column.output,
                          f"output {column.output!r} of signature {column.signature!r} is right in "
                          f"{after:.4f} of {count:,} labelled answers instead of {before:.4f}; at most "
                          f"{allowed:.4f} less is allowed", (("max_accuracy_loss", before - after),))


def _decided(column: Column) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
    """What each servable decides in each answer: classes and ids, or the best of scores [batch, n]."""
    if is_float(column.want[0]):
        if are_scores(column.want) and all(value.ndim == 2 for value in column.want):
            want, got = ([value.argmax(axis=1) for value in values]
                         for values in (column.want, column.got))
            return want, got
        return None
    return (list(column.want), list(column.got)) if is_single(column.want) else None
