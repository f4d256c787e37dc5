"""What transforms left as it was, put together by the reason for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from estimator_slim.report.record import Report

_NUMBER = re.compile(r"\d[\d.,]*")


@dataclass
class LeftAlone:
    """Nodes that a transform left as they were, for one reason."""

    transform: str
    reason: str
    nodes: list[str] = field(default_factory=list)


def left_alone(report: Report, by: Callable[[str], str] = str) -> list[LeftAlone]:
    """By transform, in order, and by reason; `by` tells which reasons are taken for one."""
    found: dict[tuple[str, str], LeftAlone] = {}
    for step in report.steps:
        for node, reason in step.skipped:
            one = found.setdefault((step.transform, by(reason)), LeftAlone(step.transform, reason))
            one.nodes += [node] if node else []
    return list(found.values())


def left_alone_text(report: Report) -> str:
    """A line for each transform and reason; reasons that differ in numbers alone are told once.

        reduce_rank left linear/day/weights and 13 more alone: it has 1 columns, not 8 to 2048
    """
    return "\n".join(f"{one.transform.partition('(')[0]} left {_nodes(one.nodes)} alone: {one.reason}"
                     for one in left_alone(report, lambda reason: _NUMBER.sub("#", reason)))


def _nodes(nodes: list[str]) -> str:
    more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
    return f"{nodes[0]}{more}" if nodes else "everything"
