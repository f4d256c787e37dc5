"""What was asked, and what was left alone and why, put together for reading."""

from __future__ import annotations

from dataclasses import dataclass, field

from estimator_slim.report.record import Report
from estimator_slim.report.verification import Verification


@dataclass
class Question:
    """Questions of one kind, to one signature or more."""

    origin: str
    made_up: bool
    signatures: list[str] = field(default_factory=list)
    requests: int = 0
    rows: int = 0


def asked(found: Verification | None) -> list[Question]:
    """A line for each kind of question; yours first."""
    kinds: dict[tuple[bool, str], Question] = {}
    for one in found.questions if found else ():
        kind = kinds.setdefault((one.made_up, one.origin), Question(one.origin, one.made_up))
        kind.signatures.append(one.signature)
        kind.requests += one.requests
        kind.rows += one.rows
    return sorted(kinds.values(), key=lambda kind: kind.made_up)


@dataclass
class LeftAlone:
    """Nodes that a transform left as they were, for one reason."""

    transform: str
    reason: str
    nodes: list[str] = field(default_factory=list)


def left_alone(report: Report) -> list[LeftAlone]:
    """By transform, in order, and by reason."""
    found: dict[tuple[str, str], LeftAlone] = {}
    for step in report.steps:
        for node, reason in step.skipped:
            one = found.setdefault((step.transform, reason), LeftAlone(step.transform, reason))
            one.nodes += [node] if node else []
    return list(found.values())
