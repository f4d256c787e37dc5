"""All records of a model at a glance: bytes and agreement, from version to version."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from estimator_slim.report.page.headline import Headline, headline
from estimator_slim.report.record import PUBLISHED, REFUSED, Report

_NEWEST = 200  # versions that are shown


@dataclass(frozen=True)
class Line:
    """A version.

    Attributes:
      version: its name.
      link: to its own page, relative; empty where there is none.
      report: its record.
      headline: what became of it.
      why: why it is not published; empty where it is.
      agreement: share of decisions that are the same; None where not known.
    """

    version: str
    link: str
    report: Report
    headline: Headline
    why: str
    agreement: float | None


@dataclass(frozen=True)
class Curve:
    """A number from version to version, in a picture of 100 by 100.

    Attributes:
      points: (x, y) of each version that has it.
      ends: the lowest and the highest value.
    """

    points: list[tuple[float, float]]
    ends: tuple[float, float]

    @property
    def path(self) -> str:
        """As an SVG polyline takes it."""
        return " ".join(f"{x:.2f},{y:.2f}" for x, y in self.points)


@dataclass(frozen=True)
class Exporter:
    """The versions of one exporter, the newest first, and their curves, the oldest to the left."""

    name: str
    lines: list[Line]
    left_out: int
    originals: Curve | None
    slims: Curve | None
    agreements: Curve | None


def exporters(records: Mapping[str, Report], links: Mapping[str, str]) -> list[Exporter]:
    """One for each folder of slim servables.

    Args:
      records: path → the record in it.
      links: path → where its page is, as the overview links to it.
    """
    together: dict[str, list[Line]] = {}
    for path, report in records.items():
        folder, version = posixpath.split(report.destination.replace("\\", "/"))
        agreement = report.verification.agreement if report.verification else None
        together.setdefault(posixpath.basename(folder), []).append(
            Line(version, links.get(path, ""), report, headline(report), _why(report), agreement))
    return [_exporter(name, sorted(lines, key=_age)) for name, lines in sorted(together.items())]


def _why(report: Report) -> str:
    found = report.verification
    if report.outcome == REFUSED and found is not None and found.failures:
        return found.failures[0].sentence
    return report.error.message if report.error else ""


def _age(line: Line) -> tuple[int, str, str]:
    number = int(line.version) if line.version.isdecimal() and len(line.version) < 40 else 0
    return number, line.version, line.report.started


def _exporter(name: str, lines: Sequence[Line]) -> Exporter:
    shown = lines[-_NEWEST:]
    published = [line.report if line.report.outcome == PUBLISHED else None for line in shown]
    before = [math.log10(one.bytes_before) if one and one.bytes_before else None for one in published]
    after = [math.log10(one.bytes_after) if one and one.bytes_after else None for one in published]
    sizes = [size for size in (*before, *after) if size is not None]
    agreements = [line.agreement for line in shown]
    return Exporter(name, list(reversed(shown)), len(lines) - len(shown),
                    _curve(before, sizes), _curve(after, sizes),
                    _curve(agreements, [*(one for one in agreements if one is not None), 1.0]))


def _curve(values: Sequence[float | None], within: Sequence[float]) -> Curve | None:
    """None where no version has the number; `within`: all that are drawn on one scale."""
    known = list(_places(values, min(within, default=0.0), max(within, default=0.0)))
    return Curve(known, (min(within), max(within))) if known else None


def _places(values: Sequence[float | None], low: float, high: float) -> Iterator[tuple[float, float]]:
    for number, value in enumerate(values):
        if value is not None and math.isfinite(value):
            x = 100 * number / (len(values) - 1) if len(values) > 1 else 50.0
            yield x, 100 - (100 * (value - low) / (high - low) if high > low else 100.0)
