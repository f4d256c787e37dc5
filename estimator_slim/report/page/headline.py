"""What a page says first: what became of the servable, in a line and a few numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from estimator_slim.report.amounts import duration, ratio, size
from estimator_slim.report.outputs import accuracies
from estimator_slim.report.quoted import nearness
from estimator_slim.report.record import FAILED, PUBLISHED, REFUSED, Report
from estimator_slim.report.shares import floor_percent, percent
from estimator_slim.report.verification import Verification


@dataclass(frozen=True)
class Tile:
    """A number with what it is, and what belongs to it."""

    what: str
    number: str
    more: str = ""


@dataclass(frozen=True)
class Headline:
    """The top of a page.

    Attributes:
      kind: `good`, `doubtful` or `bad`.
      badge: the outcome in a word or two.
      title: what happened, as short as can be.
      sentence: the rest of it.
    """

    kind: str
    badge: str
    title: str
    sentence: str


def headline(report: Report) -> Headline:
    """What happened."""
    message = report.error.message if report.error else ""
    if report.outcome == FAILED:
        return Headline("bad", "failed", "No slim servable", message)
    if report.outcome == REFUSED:
        return Headline("bad", "refused", "Not published", _why(report.verification, message))
    sizes = f"{size(report.bytes_before)} → {size(report.bytes_after)}"
    part = ratio(report.bytes_before, report.bytes_after)
    near = f"{part} of its size" if part.startswith("1/") else part
    near += f", {nearness(report.verification)}"
    if report.verification is None or not report.verification.outputs:
        return Headline("doubtful", "published, not verified", sizes, near)
    if not report.verification.passed:
        return Headline("doubtful", "published, verification failed", sizes, near)
    return Headline("good", PUBLISHED, sizes, near)


def _why(found: Verification | None, message: str) -> str:
    """Without the failures, which have a section of their own."""
    lines = message.splitlines() or [""]
    if found is None or not found.failures or len(lines) < 3:
        return message
    return f"{lines[0].removesuffix(':')}.\n{lines[-1]}"


def tiles(report: Report) -> list[Tile]:
    """The numbers that one asks for first."""
    what = "size" if report.outcome == PUBLISHED else "size it would have"
    sizes = [Tile(what, ratio(report.bytes_before, report.bytes_after),
                  f"{size(report.bytes_before)} → {size(report.bytes_after)}")]
    known = sizes if report.bytes_before and report.bytes_after else []
    found = list(_answers(report.verification)) if report.verification else []
    memory = max(report.peak_memory, report.child_peak_memory)
    most = f"{size(memory)} of memory at most" if memory else ""
    return [*known, *found, Tile("took", duration(report.seconds), most)]


def _answers(found: Verification) -> Iterator[Tile]:
    for whose in ("examples", "made_up"):
        parts = [part for one in found.outputs if (part := getattr(one, whose)) is not None]
        decisions, same = sum(part.decisions for part in parts), sum(part.same for part in parts)
        if decisions:
            of = "your examples" if whose == "examples" else "made-up questions"
            yield Tile("same decision", floor_percent(same, decisions), f"on {of}")
            break
    for output, (before, after) in list(accuracies(found.outputs).items())[:2]:
        yield Tile("accuracy", f"{after:.4f}", f"of {output!r}; original {before:.4f}")
    if found.largest_share is not None:
        allowed = "" if found.max_error is None else f"; {percent(found.max_error)} allowed"
        yield Tile("farthest row", percent(found.largest_share), f"of the range{allowed}")
