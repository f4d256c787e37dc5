"""How errors are spread over rows, and values of the original against those of the slim servable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from estimator_slim.report.outputs import OutputResult
from estimator_slim.report.record import Report
from estimator_slim.report.verification import Verification

_LOWEST = 1e-8  # errors below it are drawn as 0
_MOST = 24  # strips of a kind
_PLOTS = 6


@dataclass(frozen=True)
class Strip:
    """How far rows are off, along an axis from 0 to the farthest.

    Attributes:
      names: of what has these errors, one or more.
      rows: how many.
      bands: (left, width, weight 1 to 3) of where all, nine of ten and half of the rows are, in per
        cent.
      median: where the middle row is, in per cent.
      allowed: where that is which is allowed, in per cent; None: nothing is said.
      numbers: the middle row, that which 95 % do not exceed, and the farthest, in words.
    """

    names: list[str]
    rows: int
    bands: list[tuple[float, float, int]]
    median: float
    allowed: float | None
    numbers: tuple[str, str, str]


@dataclass(frozen=True)
class Strips:
    """Some strips, with the marks of the axis that they share: (place in per cent, text)."""

    strips: list[Strip]
    marks: list[tuple[float, str]]
    left_out: int = 0


_Known = tuple[str, int, tuple[float, ...]]  # name, rows, quantiles of their errors


def of_answers(found: Verification | None) -> Strips:
    """A strip for each output of floats; those whose errors are the same share one."""
    if found is None:
        return Strips([], [])
    known = [(f"{one.signature} / {one.output}", part.rows, part.row_errors) for one in found.outputs
             if (part := one.examples or one.made_up) is not None and part.row_errors]
    return _strips(known, found.max_error)


def of_weights(report: Report) -> Strips:
    """A strip for each weight, the largest first."""
    treated = [one for step in report.steps for one in step.treated if one.row_errors]
    return _strips([(one.origin or one.weight, one.rows or one.shape[0], one.row_errors or ())
                    for one in sorted(treated, key=lambda one: -one.bytes_before)], None)


def _strips(known: list[_Known], allowed: float | None) -> Strips:
    finite = [one for one in known if len(one[2]) > 2 and all(map(math.isfinite, one[2]))]
    together: dict[tuple[int, tuple[float, ...]], list[str]] = {}
    for name, rows, quantiles in finite:
        together.setdefault((rows, quantiles), []).append(name)
    axis = _Axis(error for one in finite for error in (*one[2], allowed or 0.0))
    strips = [_strip(names, rows, quantiles, allowed, axis)
              for (rows, quantiles), names in list(together.items())[:_MOST]]
    return Strips(strips, axis.marks(), max(0, len(together) - _MOST))


def _strip(names: list[str], rows: int, quantiles: tuple[float, ...], allowed: float | None,
           axis: _Axis) -> Strip:
    last = len(quantiles) - 1
    places = [axis.place(one) for one in quantiles]
    bands = [(places[first], max(0.5, places[last - first] - places[first]), weight)
             for weight, first in enumerate((0, last // 20, last // 4), 1)]
    middle, most = quantiles[last // 2], quantiles[last - last // 20]
    return Strip(names, rows, bands, places[last // 2],
                 None if allowed is None else axis.place(allowed),
                 (_percent(middle), _percent(most), _percent(quantiles[-1])))


def _percent(error: float) -> str:
    """With two digits that count, however small: `0.0034 %`."""
    if error <= _LOWEST:
        return "0 %"
    return f"{100 * error:.2g} %" if error < 0.1 else f"{100 * error:.0f} %"


class _Axis:
    """0, and then decades of errors."""

    def __init__(self, errors: Iterable[float]) -> None:
        known = [error for error in errors if error > _LOWEST]
        self._low = math.floor(math.log10(min(known, default=0.01)))
        self._high = max(math.ceil(math.log10(max(known, default=1.0))), self._low + 1)

    def place(self, error: float) -> float:
        """In per cent; 0 is a little before the first decade."""
        if error <= _LOWEST:
            return 1.0
        share = (math.log10(error) - self._low) / (self._high - self._low)
        return 6 + 92 * min(1.0, max(0.0, share))

    def marks(self) -> list[tuple[float, str]]:
        """0 and every decade, or every second one where there are many."""
        every = 1 if self._high - self._low <= 4 else 2
        decades = range(self._high, self._low - 1, -every)
        return [(1.0, "0"), *((self.place(10.0**one), f"{100 * 10.0**one:.9g} %")
                              for one in reversed(decades) if self.place(10.0**one) > 14)]


@dataclass(frozen=True)
class Plot:
    """Values of the original, from left to right, against the slim servable's, from below upwards.

    Attributes:
      names: of the outputs.
      points: (x, y) in a square of 100.
      ends: least and largest value, in words.
    """

    names: list[str]
    points: list[tuple[float, float]]
    ends: tuple[str, str]


def plots(found: Verification | None) -> list[Plot]:
    """One for each output of floats, as far as their values differ."""
    together: dict[tuple[tuple[float, float], ...], list[str]] = {}
    for one in found.outputs if found else ():
        pairs = tuple(pair for pair in one.pairs or () if all(map(math.isfinite, pair)))
        if len(pairs) > 1:
            together.setdefault(pairs, []).append(_name(one))
    return list(_drawn(list(together.items())[:_PLOTS]))


def _name(one: OutputResult) -> str:
    return f"{one.signature} / {one.output}"


def _drawn(known: list[tuple[tuple[tuple[float, float], ...], list[str]]]) -> Iterator[Plot]:
    for pairs, names in known:
        values = [value for pair in pairs for value in pair]
        low, high = min(values), max(values)
        span = (high - low) or 1.0
        points = [(100 * (x - low) / span, 100 - 100 * (y - low) / span) for x, y in pairs]
        yield Plot(names, points, (f"{low:.3g}", f"{high:.3g}"))
