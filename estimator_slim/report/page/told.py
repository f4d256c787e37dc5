"""What was asked, and of what kinds, put together for reading."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

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


def enough(option: str, value: float) -> str:
    """A value of an option, with two or three digits, that lets pass what this one just lets pass."""
    if not math.isfinite(value) or value <= 0:
        return f"{value:g}"
    step = 10.0 ** (math.floor(math.log10(value)) - (2 if option == "min_agreement" else 1))
    count = math.floor(value / step) if option == "min_agreement" else math.ceil(value / step)
    return f"{count * step:.6g}"
