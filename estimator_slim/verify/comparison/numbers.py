"""How far one output of floats is off, over all answers at once; numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

_FARTHEST = 9.0  # a row farther from the middle than this many median squares is not typical
_FEW = 8  # rows that do not tell how an output varies
_ROUNDING = 4e-6  # relative: two orders of one float32 sum, or 4 units in the last place


@dataclass(frozen=True)
class Pairs:
    """An output's answers, of all requests together, as two matrices.

    Attributes:
      want: the original's values, float64 [rows, width]; width is the last axis, or 1.
      got: the slim servable's, alike.
      answer: which answer each row is of, int [rows].
      row: which row of that answer it is, along the first axis, int [rows].
      rounding: relative error that an exact servable may have too, by the output's dtype.
    """

    want: np.ndarray
    got: np.ndarray
    answer: np.ndarray
    row: np.ndarray
    rounding: float

    def are_finite(self) -> np.ndarray:
        """The rows that are finite on both sides, bool [rows]."""
        return (np.isfinite(self.want) & np.isfinite(self.got)).all(axis=1)

    def finite(self) -> Pairs:
        """The same with a usual row, on both sides, for each that is not finite."""
        rows = self.are_finite()
        usual = np.median(self.want[rows], axis=0) if rows.any() else 0.0
        return replace(self, want=np.where(rows[:, None], self.want, usual),
                       got=np.where(rows[:, None], self.got, usual))


@dataclass(frozen=True)
class Deviation:
    """How far finite values are off.

    Attributes:
      error: largest absolute one of each row, [rows].
      mean: absolute error.
      range: largest less smallest of the original's values.
      span: what a share of the output is a share of: its range; 1 for values from 0 to 1; the largest
        magnitude where there is no telling how the output varies.
      signal: of each row, mean square of what varies from row to row: in typical rows or in the row
        itself, whichever is more, [rows].
      noise: of each row, mean square of its error as a share of its signal, [rows].
      rounding: error of each row that an exact servable may have too, [rows].
    """

    error: np.ndarray
    mean: float
    range: float
    span: float
    signal: np.ndarray
    noise: np.ndarray
    rounding: np.ndarray


def is_float(value: np.ndarray) -> bool:
    """True for every kind of real and complex number that is no integer, bfloat16 among them."""
    return value.dtype.kind in "fc" or value.dtype.name == "bfloat16"


def paired(want: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> Pairs:
    """The answers of one output, of the same shapes in both lists, at least one, as matrices."""
    last = {value.shape[-1] if value.ndim > 1 else 1 for value in want}
    width = last.pop() if len(last) == 1 else 1
    parts = [_matrix(value, width) for value in want], [_matrix(value, width) for value in got]
    counts = [len(part) for part in parts[0]]
    rows = [np.arange(n) * max(1, len(value) if value.ndim else 1) // max(1, n)
            for n, value in zip(counts, want)]
    return Pairs(np.concatenate(parts[0]), np.concatenate(parts[1]),
                 np.repeat(np.arange(len(want)), counts), np.concatenate(rows),
                 max(_ROUNDING, 4 * _epsilon(want[0].dtype)))


def deviation(pairs: Pairs, *, by_answer: bool = False) -> Deviation:
    """How far the rows of `pairs` are off; all values are finite and there is at least one row.

    `by_answer`: the signal of a row is at least the mean of all rows of its answer.
    """
    off = np.abs(pairs.got - pairs.want)
    rounding = pairs.rounding * np.abs(pairs.want).max(axis=1)
    error, signal = off.max(axis=1), _signal(pairs, by_answer)
    noise = np.where(error > rounding, np.mean(np.square(off), axis=1), 0.0) / signal
    return Deviation(error, float(off.mean()), float(np.ptp(pairs.want)), _span(pairs), signal, noise,
                     rounding)


def decibels(noise: float) -> float:
    """A share of the signal's power, above 0, as a ratio of signal to noise: 0.001 → 30 dB."""
    return float(-10 * np.log10(noise))


def _span(pairs: Pairs) -> float:
    least, most = pairs.want.min(), pairs.want.max()
    magnitude = max(abs(least), abs(most))
    if least >= 0 and most <= 1:
        return 1.0
    if len(pairs.want) < _FEW or most - least <= pairs.rounding * magnitude:
        return float(magnitude)
    return float(most - least)


def _signal(pairs: Pairs, by_answer: bool) -> np.ndarray:
    """The signal that the noise of each row is measured against, [rows]."""
    apart = np.mean(np.square(pairs.want - np.median(pairs.want, axis=0)), axis=1)
    typical = np.mean(np.minimum(apart, _FARTHEST * np.median(apart)))
    magnitude = np.median(np.abs(pairs.want))
    if len(apart) < _FEW or typical <= (pairs.rounding * magnitude)**2:
        typical = np.mean(np.square(pairs.want))  # the output hardly varies: all of it is signal
    if by_answer:
        counts = np.maximum(1, np.bincount(pairs.answer))
        apart = np.maximum(apart, (np.bincount(pairs.answer, apart) / counts)[pairs.answer])
    return np.maximum(apart, typical or 1.0)


def _epsilon(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 2.0**-7


def _matrix(value: np.ndarray, width: int) -> np.ndarray:
    if value.dtype.kind == "c":
        return np.concatenate([_matrix(value.real, width), _matrix(value.imag, width)], axis=1)
    return value.astype(np.float64).reshape(-1 if value.size else 0, max(1, width))
