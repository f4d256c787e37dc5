"""What became of all servables: a table for a terminal, and one JSON document."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from estimator_slim.fleet.job import Result

SCHEMA = 1

@dataclass(frozen=True)
class Summary:
    """What became of all servables, in the order in which they were done.

    Attributes:
      results: of each.
      seconds: of all together, by the clock.
    """

    results: Sequence[Result]
    seconds: float

    @property
    def all_done(self) -> bool:
        """Each has its slim servable."""
        return all(one.is_done for one in self.results)

    @property
    def counts(self) -> dict[str, int]:
        """Outcome → how many, see `Result.outcome`."""
        return dict(sorted(Counter(one.outcome for one in self.results).items()))

    def __str__(self) -> str:
        """`49 of 50 servables done: 1 failed, 12 published, 37 unchanged; 61 s`."""
        done = sum(one.is_done for one in self.results)
        counts = ", ".join(f"{number} {outcome}" for outcome, number in self.counts.items())
        return (f"{done} of {len(self.results)} servables done: {counts or 'nothing to do'}; "
                f"{self.seconds:.0f} s")

    def to_json(self) -> str:
        """`{"schema": 1, "all_done": ..., "seconds": ..., "counts": {...}, "servables": [...]}`."""
        return json.dumps({"schema": SCHEMA, "all_done": self.all_done,
                           "seconds": round(self.seconds, 3), "counts": self.counts,
                           "servables": [_plain(one) for one in self.results]},
                          indent=1, ensure_ascii=False) + "\n"


def table_row(result: Result | None) -> str:
    """A line of the table; None: the first, which says what is in it."""
    if result is None:
        return _line("outcome", "MB", "slim MB", "seconds", "servable")
    report = result.report
    before, after = (f"{count / 1e6:,.1f}" if count else "" for count in
                     (report.bytes_before, report.bytes_after if result.is_done else 0))
    seconds = "" if result.was_done else f"{report.seconds:.1f}"
    why = report.error.message.splitlines()[0] if report.error else ""
    told = why if report.source in why else f"{report.source}{why and ': '}{why}"
    return _line(result.outcome, before, after, seconds, told)


def _line(outcome: str, before: str, after: str, seconds: str, servable: str) -> str:
    return f"{outcome:<9}  {before:>9}  {after:>9}  {seconds:>7}  {servable}"


def _plain(result: Result) -> dict[str, Any]:
    report = result.report
    return {"source": report.source, "destination": report.destination, "outcome": result.outcome,
            "error": vars(report.error) if report.error else None,
            "bytes_before": report.bytes_before, "bytes_after": report.bytes_after,
            "seconds": round(report.seconds, 3), "tells": str(report)}
