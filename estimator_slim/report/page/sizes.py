"""Where the bytes were and where they went: by weight, and step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from estimator_slim.report.record import Report
from estimator_slim.report.shares import floor_percent, percent
from estimator_slim.report.steps import Phase
from estimator_slim.report.treatment import Treatment

_FAR = 20  # times as small: what is left cannot be seen on a scale that is even
_LEAST = 0.4  # per cent of a bar's room, which can be seen


@dataclass
class Row:
    """A weight, with all that was done to it.

    Attributes:
      name: its tensor in the checkpoint, or its node; empty for everything else.
      shape: as it was.
      before: bytes.
      after: bytes.
      done: what became of it, in words.
      error: how far values are off, in words.
      bars: how long the bars of `before` and `after` are, in per cent of the longest.
      shares: what part of the original and of the slim servable it is, in words.
    """

    name: str
    shape: str
    before: int
    after: int
    done: list[str] = field(default_factory=list)
    error: str = ""
    bars: tuple[float, float] = (0.0, 0.0)
    shares: tuple[str, str] = ("", "")


def by_weight(report: Report) -> list[Row]:
    """The weights that were changed, the largest first; then everything else."""
    rows: dict[str, Row] = {}
    for one in (one for step in report.steps for one in step.treated):
        name = one.origin or one.weight
        shape = " × ".join(f"{size:,}" for size in one.shape)
        row = rows.setdefault(name, Row(name, shape, one.bytes_before, one.bytes_after))
        row.after = one.bytes_after
        row.done += _done(one)
        row.error = percent(one.error) if one.error is not None else row.error
    found = sorted(rows.values(), key=lambda row: -row.before)
    rest = (report.bytes_before - sum(row.before for row in found),
            report.bytes_after - sum(row.after for row in found))
    found += [Row("", "", max(0, rest[0]), max(0, rest[1]))] if found else []
    most = max((max(row.before, row.after) for row in found), default=0)
    for row in found:
        row.bars = _length(row.before, most), _length(row.after, most)
        row.shares = _share(row.before, report.bytes_before), _share(row.after, report.bytes_after)
    return found


def _done(one: Treatment) -> Iterator[str]:
    if one.rows is not None and one.rows < one.shape[0]:
        yield f"{one.rows:,} of {one.shape[0]:,} rows"
    if one.rank is not None:
        yield f"{one.rank:,} of {one.shape[-1]:,} directions"
    if one.bits is not None:
        coded = f"{one.bits} bits" if one.codes is None else f"{one.codes}, {one.bits} bits"
        yield coded if one.codes != f"float{one.bits}" else str(one.codes)


def _share(count: int, of: int) -> str:
    return floor_percent(count, of) if 10_000 * count >= of > 0 else percent(count / max(1, of))


def _length(count: int, most: int) -> float:
    return max(_LEAST, 100 * count / most) if count and most else 0.0


@dataclass(frozen=True)
class Fall:
    """A step of the waterfall.

    Attributes:
      name: of the transform, or of what was done.
      before: bytes before it.
      after: and after.
      seconds: how long it took; None for the ends.
      kind: `end`, `less`, `more` or `same`.
      left: where its bar begins, in per cent.
      width: how long it is, in per cent.
    """

    name: str
    before: int
    after: int
    seconds: float | None
    kind: str
    left: float
    width: float

    @property
    def change(self) -> int:
        """Bytes that came, or that went, below 0."""
        return self.after - self.before


@dataclass(frozen=True)
class Waterfall:
    """The steps from the original to the slim servable; on an even scale, or a logarithmic one."""

    falls: list[Fall]
    logarithmic: bool


def waterfall(report: Report) -> Waterfall:
    """Of the list that was tried last."""
    known = list(_changes(report)) if report.steps else []
    sizes = [size for _, before, after, _ in known for size in (before, after) if size]
    if len(sizes) < 2:
        return Waterfall([], False)
    logarithmic = max(sizes) > _FAR * min(sizes)
    place = _logarithmic(min(sizes), max(sizes)) if logarithmic else _even(max(sizes))
    falls = []
    for name, before, after, seconds in known:
        ends = (0.0, place(after)) if seconds is None else sorted((place(before), place(after)))
        width = max(_LEAST, ends[1] - ends[0])
        kind = ("end" if seconds is None else "same" if abs(after - before) < 0.0005 * max(before, after)
                else "less" if after < before else "more")
        falls.append(Fall(name, before, after, seconds, kind, min(ends[0], 100 - width), width))
    return Waterfall(falls, logarithmic)


def _changes(report: Report) -> Iterator[tuple[str, int, int, float | None]]:
    """(name, bytes before, bytes after, seconds), the ends among them."""
    yield "original", report.bytes_before, report.bytes_before, None
    for phase in _that_change(report.phases, None):
        yield phase.name, phase.bytes_before or 0, phase.bytes_after or 0, phase.seconds
    for step in report.steps:
        yield step.transform, step.bytes_before, step.bytes_after, step.seconds
    for phase in _that_change(report.phases, max(0, len(report.tried) - 1)):
        yield phase.name, phase.bytes_before or 0, phase.bytes_after or 0, phase.seconds
    if report.bytes_after:
        yield "slim servable", report.bytes_after, report.bytes_after, None


def _that_change(phases: list[Phase], rung: int | None) -> list[Phase]:
    return [one for one in phases if one.bytes_before and one.bytes_after and one.rung == rung]


def _even(most: int) -> Callable[[int], float]:
    return lambda size: 100 * size / most


def _logarithmic(least: int, most: int) -> Callable[[int], float]:
    low, high = math.log(least / 2), math.log(most)
    return lambda size: 100 * max(0.0, (math.log(max(1, size)) - low) / (high - low))
