"""Whether the floats that an output is made from explain where it changed.

Two best scores that nearly tie change places; a number near an edge is rounded the other way. What is
made from floats may change there, as long as the floats are as near as floats have to be. It may not
change where what was made of its floats is the same, nor where they moved too little to change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from estimator_slim.report import Failure
from estimator_slim.transforms import Bounds
from estimator_slim.verify.comparison.column import Column
from estimator_slim.verify.comparison.decisions import Changed
from estimator_slim.verify.comparison.floats import failure, measured
from estimator_slim.verify.comparison.marks import (
    MOVED,
    TIED,
    Both,
    Marks,
    along,
    marked,
    rowwise_marks,
    worst,
)
from estimator_slim.verify.comparison.numbers import is_float, paired
from estimator_slim.verify.request import Basis, Choice

_PRINTED = ("AsString", "StringFormat")


@dataclass(frozen=True)
class Explained:
    """What the bases of an output say about its changes.

    Attributes:
      column: its answers that hold a value; a row for each value, if each has a basis of its own.
      changed: the rows that changed, and why.
      failure: of the floats, where rows changed and they are not as near as they have to be.
      printed: these are numbers in words, which decide nothing.
    """

    column: Column
    changed: Changed
    failure: Failure | None
    printed: bool


def explained(column: Column, bounds: Bounds) -> Explained | None:
    """None where it is not known what the output is made from, or both do not make it in one way."""
    column = _with_values(column)
    bases = _matched(column)
    direct = [number for number, both in enumerate(bases) if both and both[0][0].direct]
    if not direct:
        return None
    by_value = all(w.made.size == value.size
                   for number in direct for (w, _), value in zip(bases[number], column.want))
    rows = _below(map(_differs, column.want, column.got), column, by_value)
    marks, wrong = np.zeros(len(rows), int), None
    if rows.any():
        every = marked(bases)
        marks = np.max([_below(every[number][1], column, by_value) for number in direct], axis=0)
        wrong = next(_too_far(column, every, bounds), None)
    changed = Changed(rows, rows & (marks == TIED), rows & (marks == MOVED), True)
    printed = any(bases[number][0][0].kind in _PRINTED for number in direct)
    return Explained(column.by_position() if by_value else column, changed, wrong, printed)


def but_for_choices(column: Column, bounds: Bounds, wrong: Failure) -> Failure | None:
    """What of `wrong` is left without those rows of floats that are made from other choices.

    The price of the best item is another where the best item is. But where most rows would be left out,
    or the choices are not as `bounds` allow, all of them count.
    """
    column = _with_values(column)
    every = marked(_matched(column))
    marks = [worst(len(rows), [of[number] for _, of in every if of])
             for number, rows in enumerate(column.rows)]
    moved = np.concatenate(marks) == MOVED
    other = moved | (np.concatenate(marks) == TIED)
    if not 0 < 2 * other.sum() <= len(other) or moved.sum() > bounds.disagreements(len(other)):
        return wrong
    rest = measured(replace(column, got=[
        np.where(along((one == TIED) | (one == MOVED), want), want, got)
        for one, want, got in zip(marks, column.want, column.got)]), bounds)
    return next(_too_far(column, every, bounds), failure(rest, bounds) if rest else wrong)


def _with_values(column: Column) -> Column:
    """Without the answers that hold none."""
    kept = [number for number, value in enumerate(column.want) if value.size]
    names = ("requests", "want", "got", "rows", "counts", "want_bases", "got_bases")
    lists: dict[str, Any] = {name: [getattr(column, name)[n] for n in kept] for name in names}
    return replace(column, **lists)


def _matched(column: Column) -> list[Both]:
    """Each basis in all answers; empty for one that is not alike, none if a direct one is not.

    Where what is before others is known of one servable alone, the direct ones are all there is.
    """
    answers = list(zip(column.want_bases, column.got_bases))
    return _paired(answers) or _paired([(_direct(want), _direct(got)) for want, got in answers])


def _direct(bases: Sequence[Basis | None]) -> list[Basis | None]:
    return [replace(one, before=()) for one in bases if one and one.direct]


def _paired(answers: Sequence[tuple[Sequence[Basis | None], Sequence[Basis | None]]]) -> list[Both]:
    if len({len(bases) for answer in answers for bases in answer}) != 1:
        return []
    found: list[Both] = []
    for number in range(len(answers[0][0])):
        pairs = [(w[number], g[number]) for w, g in answers]
        both = [(w, g) for w, g in pairs if w and g and _shapes(w) == _shapes(g)]
        ways = {_way(one) for pair in pairs for one in pair if one}
        if len(both) == len(pairs) and len(ways) == 1:
            found.append(both)
        elif any(one.direct for pair in pairs for one in pair if one):
            return []
        else:
            found.append([])
    return found


def _shapes(basis: Basis) -> list[tuple[int, ...]]:
    return [array.shape for array in basis.arrays().values()]


def _way(basis: Basis) -> tuple:
    """What is the same of one basis in all answers."""
    width = basis.scores.shape[-1] if isinstance(basis, Choice) else 0
    return basis.kind, basis.before, basis.direct, width


def _below(values: Iterator[np.ndarray] | Marks, column: Column, by_value: bool) -> np.ndarray:
    """One value for each value, or each row, of all answers below each other: the largest of the row."""
    return np.concatenate([value.reshape(-1) if by_value else rowwise_marks(value, len(rows))
                           for value, rows in zip(values, column.rows)])


def _differs(want: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Which values are others, bool, of the shape of both; of floats, by more than their last places."""
    if not is_float(want):
        return np.asarray(want != got)
    pairs = paired([want], [got])
    off = ~np.isclose(pairs.got, pairs.want, rtol=pairs.last, atol=0.0, equal_nan=True)
    return off.reshape(want.shape)


def _too_far(column: Column, every: Sequence[tuple[Both, Marks]], bounds: Bounds) -> Iterator[Failure]:
    """Of the floats of each basis that made something else."""
    for both, marks in every:
        if any(one.any() for one in marks):
            floats = replace(column, want=[w.floats for w, _ in both], got=[g.floats for _, g in both],
                             behind=f"changed, and what {both[0][0].kind} makes it from ")
            measures = measured(floats, bounds)
            found = measures and failure(replace(measures, scores=None), bounds)
            if found:
                yield found
