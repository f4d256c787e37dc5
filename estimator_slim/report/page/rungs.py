"""The lists that were tried: what each took, and how right its servable still is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from estimator_slim.report.amounts import size
from estimator_slim.report.outputs import accuracies
from estimator_slim.report.record import Report
from estimator_slim.report.steps import Tried
from estimator_slim.report.verification import Verification

ORIGINAL = "original"
_MOST = 20  # lists that are shown, the last ones


@dataclass(frozen=True)
class Rung:
    """A list that was tried.

    Attributes:
      number: from 1.
      tried: what is known of it.
      score: accuracy or agreement, in words; empty where neither is known.
      why: what it fell for.
    """

    number: int
    tried: Tried
    score: str
    why: str


@dataclass(frozen=True)
class Point:
    """A servable in the picture: its label, its verdict, and its place in a picture of 100 by 100."""

    label: str
    verdict: str
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """Servables by their bytes, on a logarithmic scale, and by their score.

    Attributes:
      what: `accuracy` or `agreement with the original`.
      points: the original first.
      sizes: the least and the most bytes, in words.
      scores: the lowest and the highest score, in words.
    """

    what: str
    points: list[Point]
    sizes: tuple[str, str]
    scores: tuple[str, str]


def rungs(report: Report) -> list[Rung]:
    """In the order in which they were tried."""
    return [Rung(number, one, _told(one.verification), _why(one.verification))
            for number, one in _shown(report)]


def _shown(report: Report) -> list[tuple[int, Tried]]:
    """(number, list) of those that are shown, which are all, as a rule."""
    return list(enumerate(report.tried, 1))[-_MOST:]


def _why(found: Verification | None) -> str:
    return found.failures[0].sentence if found is not None and found.failures else ""


def _told(found: Verification | None) -> str:
    accuracy, agreement = _scores(found)
    if accuracy is not None:
        return f"accuracy {accuracy:.4f}"
    return "" if agreement is None else f"agreement {agreement:.4f}"


def _scores(found: Verification | None) -> tuple[float | None, float | None]:
    """(accuracy of the slim servable, agreement), each None where it is not known."""
    if found is None:
        return None, None
    known = next(iter(accuracies(found.outputs).values()), None)
    return (known[1] if known else None), found.agreement


def picture(report: Report) -> Picture | None:
    """None where there is but one list, or no list's servable has a score."""
    scored = [(number, one, _scores(one.verification)) for number, one in _shown(report)
              if one.byte_count]
    by_accuracy = [(number, one, score[0]) for number, one, score in scored if score[0] is not None]
    by_agreement = [(number, one, score[1]) for number, one, score in scored if score[1] is not None]
    found = by_accuracy or by_agreement
    if len(report.tried) < 2 or not found or not report.bytes_before:
        return None
    original = 1.0
    if by_accuracy:
        original = next(before for _, one, _ in found if one.verification
                        for before, _ in accuracies(one.verification.outputs).values())
    known = [(ORIGINAL, ORIGINAL, report.bytes_before, original)]
    known += [(str(number), one.verdict, one.byte_count, score or 0.0) for number, one, score in found]
    return _picture("accuracy" if by_accuracy else "agreement with the original", known)


def _picture(what: str, known: list[tuple[str, str, int, float]]) -> Picture:
    sizes, scores = [one[2] for one in known], [one[3] for one in known]
    low, high = min(scores), max(scores)
    if high - low < 0.01:  # so that a difference of nothing looks like nothing
        low, high = max(0.0, high - 0.01), high
    points = [Point(label, verdict, _place(math.log(count), math.log(min(sizes)), math.log(max(sizes))),
                    100 - _place(score, low, high)) for label, verdict, count, score in known]
    return Picture(what, points, (size(min(sizes)), size(max(sizes))), (f"{low:.4f}", f"{high:.4f}"))


def _place(value: float, low: float, high: float) -> float:
    return 100 * (value - low) / (high - low) if high > low else 50.0
