"""Decisions: the best of a row's scores, a class or an id, and which of them hang on a near tie.

Two scores nearly tie if they are so near that a right servable's error may make them change places: six
times the error's root mean square, at most. With an error of 0.001 another best score says nothing in
[0.502, 0.498], and is a changed decision in [0.6, 0.4].

Where requests carry labels, it is counted how often each servable decides as they say (`accuracies`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from estimator_slim.report import Part
from estimator_slim.verify.comparison.numbers import Deviation, Pairs

_AT_ONCE = 1 << 18  # values


@dataclass(frozen=True)
class Scores:
    """What the scores of one output decide, row by row.

    Attributes:
      best: of the original's scores, int [rows].
      slim_best: of the slim servable's.
      gap: from each of the original's scores to the nearest other one of its row, [rows, scores]:
        0.3, 0.1, 0.1 of the scores 0.7, 0.4, 0.3.
      tie: gaps up to this one are near ties, [rows].
      finite: rows that decide something, [rows].
    """

    best: np.ndarray
    slim_best: np.ndarray
    gap: np.ndarray
    tie: np.ndarray
    finite: np.ndarray

    @property
    def moved(self) -> np.ndarray:
        """Rows with another best score, bool [rows]."""
        return self.best != self.slim_best

    @property
    def clear(self) -> np.ndarray:
        """Rows in which no other score comes near the best one, bool [rows]."""
        return self.gap[np.arange(len(self.best)), self.best] > self.tie


@dataclass(frozen=True)
class Changed:
    """Rows of an output of classes, ids or other exact values that are not the original's.

    Attributes:
      rows: that changed at all, bool [rows].
      tied: that changed with scores that nearly tie, bool [rows].
      moved: that changed with scores that do not, bool [rows].
      follows: the output is the name or number of the best of some scores, and of nothing else.
    """

    rows: np.ndarray
    tied: np.ndarray
    moved: np.ndarray
    follows: bool

    @property
    def wrong(self) -> np.ndarray:
        """Rows whose scores give no reason to change, bool [rows]."""
        return self.rows & ~self.tied & ~self.moved


def are_scores(values: Sequence[np.ndarray]) -> bool:
    """True for answers of the shape [batch, n] or [batch, ..., n] with one n, 2 or more."""
    return all(v.ndim > 1 and v.shape[-1] == values[0].shape[-1] > 1 for v in values)


def decide(pairs: Pairs, deviation: Deviation) -> Scores:
    """What the rows of `pairs` decide; `deviation` is that of the finite ones."""
    finite, pairs = pairs.are_finite(), pairs.finite()
    gap = np.concatenate([_gaps(part) for part in _parts(pairs.want)])
    best, slim_best = pairs.want.argmax(axis=1), pairs.got.argmax(axis=1)
    return Scores(best, slim_best, gap, deviation.near_ties(), finite)


def changed(want: Sequence[np.ndarray], got: Sequence[np.ndarray],
            beside: Sequence[Scores]) -> Changed:
    """The rows of an output that changed, and whether scores of the same signature say why."""
    differs = rowwise([w != g for w, g in zip(want, got)])
    rows = differs.any(axis=1)
    tied, moved = np.zeros_like(rows), np.zeros_like(rows)
    beside = [one for one in beside if len(one.best) == len(rows)]
    if is_single(want):
        values = rowwise(want)[:, 0]
        followed = [one for one in beside if _follows(values[one.finite], one.best[one.finite])]
        for one in followed:
            tied, moved = tied | (one.moved & ~one.clear), moved | (one.moved & one.clear)
        return Changed(rows, rows & tied, rows & moved & ~tied, bool(followed))
    for one in beside:
        if differs.shape == one.gap.shape:
            near = one.gap <= one.tie[:, None]
            near[:, -1] = True  # of the best few of many, the last may tie with one that is not shown
            tied = tied | (near | ~differs).all(axis=1)
    return Changed(rows, rows & tied, moved, False)


def accuracies(labels: Sequence[np.ndarray | None],
               *decided: Sequence[np.ndarray]) -> list[float | None]:
    """The share of labelled rows that are decided right, for each of `decided`.

    Args:
      labels: of each answer, [batch] or [batch, 1]; None where there are none.
      decided: the decisions of each answer, [batch] or [batch, 1], ids or names.

    Returns:
      None where no label is of the kind of the decisions.
    """
    return [_share([_right(np.asarray(label), values) for label, values in zip(labels, one)
                    if label is not None and _comparable(np.asarray(label), values)])
            for one in decided]


def is_single(values: Sequence[np.ndarray]) -> bool:
    """True for answers of one value a row: [batch], [batch, 1]."""
    return all(value.ndim and value.size == len(value) for value in values)


def rowwise(values: Sequence[np.ndarray]) -> np.ndarray:
    """Answers of one output below each other, [rows, n]; of unequal widths, only whether any is true."""
    flat = [value.reshape(len(value) if value.ndim else 1, -1)
            for value in map(np.asarray, values) if value.size]
    if len({part.shape[1] for part in flat}) > 1:
        flat = [part.any(axis=1, keepdims=True) for part in flat]
    return np.concatenate(flat) if flat else np.zeros((0, 1), bool)


def _parts(matrix: np.ndarray) -> list[np.ndarray]:
    """Some of the rows at a time, since working out their gaps takes several times their memory."""
    return np.array_split(matrix, max(1, min(len(matrix), matrix.size // _AT_ONCE)))


def _gaps(values: np.ndarray) -> np.ndarray:
    """From each value to the nearest other one of its row."""
    order = np.argsort(values, axis=1)
    steps = np.diff(np.take_along_axis(values, order, axis=1), axis=1)
    edge = np.full((len(steps), 1), np.inf)
    nearest = np.minimum(np.hstack([edge, steps]), np.hstack([steps, edge]))
    gaps = np.empty_like(values)
    np.put_along_axis(gaps, order, nearest, axis=1)
    return gaps


def part_of_decisions(same: np.ndarray, clear: np.ndarray, rows: np.ndarray) -> Part:
    """What some rows of decisions are like.

    Args:
      same: rows with the same decision, bool [rows].
      clear: rows that are no near ties, bool [rows].
      rows: the ones that are meant, bool [rows].
    """
    count = int(rows.sum())
    return Part(count, decisions=count, same=int(same[rows].sum()), clear=int(clear[rows].sum()),
                clear_same=int((same & clear)[rows].sum()))


def _follows(values: np.ndarray, best: np.ndarray) -> bool:
    """True if the same score being best always comes with the same value."""
    known: dict[int, object] = {}
    return all(known.setdefault(number, value) == value
               for number, value in zip(best.tolist(), values.tolist()))


def _share(rights: Sequence[np.ndarray]) -> float | None:
    return float(np.mean(np.concatenate(rights))) if rights else None


def _comparable(label: np.ndarray, values: np.ndarray) -> bool:
    return (0 < label.size == values.size and _is_text(label) == _is_text(values)
            and label.dtype.kind in "iubOSU")


def _right(label: np.ndarray, values: np.ndarray) -> np.ndarray:
    wanted, got = label.ravel(), values.ravel()
    if _is_text(values):
        return np.array([_bytes(a) == _bytes(b) for a, b in zip(wanted, got)])
    return wanted == got


def _is_text(values: np.ndarray) -> bool:
    return values.dtype.kind in "OSU"


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)
