"""How far one output of floats is off, over all answers at once; numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

_FARTHEST = 9.0  # a row farther from the middle than this many median squares is not typical
_FEW = 8  # rows that do not tell how an output varies
# What exact servables may be off by, in epsilons: two orders of 1,000 terms are 1 to 10 apart, of 16,000
# up to 40. In float16, sums are added up in float32.
_LAST, _SUMS = 4.0, 32.0
_SEEN = 0.1  # more than this of what varies is no rounding, but for the last places
_SPREAD = 6.0  # values nearer than this many root mean square errors may change places
_SINGLE = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Pairs:
    """An output's answers, of all requests together, as two matrices.

    Attributes:
      want: the original's values, float64 [rows, width]; width is the last axis, or 1.
      got: the slim servable's, alike.
      answer: which answer each row is of, int [rows].
      row: which row of that answer it is, along the first axis, int [rows].
      last: relative error in the last places, by the output's dtype; what varies less does not vary.
      rounding: relative error of sums in another order.
    """

    want: np.ndarray
    got: np.ndarray
    answer: np.ndarray
    row: np.ndarray
    last: float
    rounding: float

    def are_finite(self) -> np.ndarray:
        """The rows that are finite on both sides, bool [rows]."""
        return (np.isfinite(self.want) & np.isfinite(self.got)).all(axis=1)

    def finite(self) -> Pairs:
        """The same with a usual row, on both sides, for each that is not finite."""
        rows = self.are_finite()
        if rows.all():
            return self
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
      span: of each row, what its error is a share of, [rows]: the range of usual answers or of all rows
        of its own answer, whichever is more; 1 for values from 0 to 1; the largest magnitude where too
        few rows are known to tell how the output varies, or it does not.
      signal: of each row, mean square of what varies from row to row: in typical rows or in the row
        itself, whichever is more, [rows].
      noise: of each row, mean square of its error as a share of its signal, [rows]; without `constant`.
      rounding: error of each row that an exact servable may have too, [rows].
      constant: error that all rows have alike, as far as it is no noise, [width].
      counted: False for a row whose noise is not to be judged, bool [rows].
      usual: the most of the noise that says which scores nearly tie.
    """

    error: np.ndarray
    mean: float
    range: float
    span: np.ndarray
    signal: np.ndarray
    noise: np.ndarray
    rounding: np.ndarray
    constant: np.ndarray
    counted: np.ndarray
    usual: float = math.inf

    @property
    def share(self) -> np.ndarray:
        """The error of each row, but for rounding, as a share of its span, [rows]."""
        return np.maximum(0.0, self.error - self.rounding) / self.span

    @property
    def mean_noise(self) -> float:
        """Of the rows that count."""
        return float(self.noise[self.counted].mean()) if self.counted.any() else 0.0

    def near_ties(self) -> np.ndarray:
        """How near two values of a row may be to change places by the noise, [rows]."""
        spread = _SPREAD * np.sqrt(min(self.mean_noise, self.usual) * self.signal)
        return np.maximum(spread + 2 * np.abs(self.constant).max(), self.rounding)


def is_float(value: np.ndarray) -> bool:
    """True for every kind of real and complex number that is no integer, bfloat16 among them."""
    return value.dtype.kind in "fc" or value.dtype.name == "bfloat16"


def paired(want: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> Pairs:
    """The answers of one output, of the same shapes in both lists, at least one, as matrices."""
    widths = {value.shape[-1] if value.ndim > 1 else 1 for value in want}
    width = widths.pop() if len(widths) == 1 else 1
    parts = [_matrix(value, width) for value in want], [_matrix(value, width) for value in got]
    counts = [len(part) for part in parts[0]]
    rows = [np.arange(n) * max(1, len(value) if value.ndim else 1) // max(1, n)
            for n, value in zip(counts, want)]
    wanted, epsilon = np.concatenate(parts[0]), _epsilon(want)
    last = _LAST * epsilon
    return Pairs(wanted, np.concatenate(parts[1]), np.repeat(np.arange(len(want)), counts),
                 np.concatenate(rows), last, max(last, _SUMS * min(epsilon, _SINGLE)))


def deviation(pairs: Pairs, *, by_answer: np.ndarray | bool = False, usual: np.ndarray | bool = True,
              constant: float = 0.0) -> Deviation:
    """How far the rows of `pairs` are off; all values are finite and there is at least one row.

    Args:
      pairs: the answers.
      by_answer: rows whose signal is at least the mean of all rows of their answer, bool [rows].
      usual: rows that tell what is usual, bool [rows].
      constant: the largest share of the range of usual answers that an error may be which all rows have
        alike, such as that of the padding's row in every mean of padded texts; then it is no noise.
    """
    off = pairs.got - pairs.want
    error, signal = np.abs(off).max(axis=1), _signal(pairs, by_answer)
    rounding, known = _rounding(pairs, signal), _known(pairs, usual)
    alike = _constant(off, constant * np.ptp(known))
    noise = np.where(error > rounding, np.mean(np.square(off - alike), axis=1), 0.0) / signal
    return Deviation(error, float(np.abs(off).mean()), float(np.ptp(pairs.want)), _span(pairs, known),
                     signal, noise, rounding, alike, np.ones(len(off), bool))


def ratio(decibels: float) -> float:
    """The share of the signal's power that the noise is: 30 dB → 0.001."""
    return float(10 ** (-decibels / 10))


def decibels(noise: float) -> float:
    """A share of the signal's power, above 0, as a ratio of signal to noise: 0.001 → 30 dB."""
    return float(-10 * np.log10(noise))


def _rounding(pairs: Pairs, signal: np.ndarray) -> np.ndarray:
    """The error of each row that is rounding.

    A sum rounds as its terms do, which may be larger than itself by far: so much is let pass, but no
    more than a small part of what varies. An answer without what varies is wrong, whatever its size.
    """
    magnitude = np.abs(pairs.want).max(axis=1)
    return np.maximum(pairs.last * magnitude,
                      np.minimum(pairs.rounding * magnitude, _SEEN * np.sqrt(signal)))


def _constant(off: np.ndarray, largest: float) -> np.ndarray:
    """The middle of all rows' errors, [width]; 0 where that is more than `largest`, or of a few rows."""
    middle = np.median(off, axis=0)
    return middle if len(off) >= _FEW and np.abs(middle).max() <= largest else np.zeros_like(middle)


def _known(pairs: Pairs, usual: np.ndarray | bool) -> np.ndarray:
    """The rows that tell how the output varies."""
    rows = np.broadcast_to(usual, len(pairs.want))
    return pairs.want[rows] if rows.sum() >= _FEW else pairs.want


def _span(pairs: Pairs, known: np.ndarray) -> np.ndarray:
    """What the error of each row is a share of, [rows]."""
    if pairs.want.min() >= 0 and pairs.want.max() <= 1:
        return np.ones(len(pairs.want))
    starts = np.flatnonzero(np.diff(pairs.answer, prepend=-1))
    ranges = (np.maximum.reduceat(pairs.want.max(axis=1), starts)
              - np.minimum.reduceat(pairs.want.min(axis=1), starts))
    counts = np.diff(starts, append=len(pairs.want))
    return np.maximum(_range(known, pairs.last), np.repeat(ranges, counts))


def _range(values: np.ndarray, last: float) -> float:
    magnitude = np.abs(values).max()
    known = len(values) >= _FEW and np.ptp(values) > last * magnitude
    return float(np.ptp(values) if known else magnitude) or 1.0


def _signal(pairs: Pairs, by_answer: np.ndarray | bool) -> np.ndarray:
    """The signal that the noise of each row is measured against, [rows]."""
    apart = np.mean(np.square(pairs.want - np.median(pairs.want, axis=0)), axis=1)
    typical = np.mean(np.minimum(apart, _FARTHEST * np.median(apart)))
    magnitude = np.median(np.abs(pairs.want))
    if len(apart) < _FEW or typical <= (pairs.last * magnitude)**2:
        typical = np.mean(np.square(pairs.want))  # the output hardly varies: all of it is signal
    counts = np.maximum(1, np.bincount(pairs.answer))
    together = (np.bincount(pairs.answer, apart) / counts)[pairs.answer]
    return np.maximum(np.where(by_answer, np.maximum(apart, together), apart), typical or 1.0)


def _epsilon(values: Sequence[np.ndarray]) -> float:
    """The relative precision of the floats that the values were computed in.

    An output of float64 may be float32 that is converted at the end. Then float32 has every one of its
    values, and its precision counts. If float64 computes on with what float32 made, its own precision is
    enough: float32's errors are then within what `Bounds` allow.
    """
    if values[0].dtype.kind not in "fc":
        return 2.0**-7  # bfloat16
    epsilon = float(np.finfo(values[0].dtype).eps)
    return max(epsilon, _SINGLE) if all(map(_is_single, values)) else epsilon


def _is_single(values: np.ndarray) -> bool:
    """True if float32 has each of these numbers."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.complex64 if values.dtype.kind == "c" else np.float32)
    return np.array_equal(narrow, values, equal_nan=True)


def _matrix(value: np.ndarray, width: int) -> np.ndarray:
    if value.dtype.kind == "c":
        return np.concatenate([_matrix(value.real, width), _matrix(value.imag, width)], axis=1)
    return value.astype(np.float64).reshape(-1 if value.size else 0, max(1, width))
