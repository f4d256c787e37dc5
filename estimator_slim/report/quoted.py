"""The line that a person can quote.

    1,024.6 MB → 260.5 MB (1/3.9), same answer on 99.98 % of 4,500 of your examples
    (accuracy 0.9089 → 0.9089)
"""

from __future__ import annotations

from estimator_slim.report.amounts import ratio, size
from estimator_slim.report.outputs import Part, told_accuracies
from estimator_slim.report.shares import floor_percent, percent
from estimator_slim.report.verification import Verification


def quoted(before: int, after: int, found: Verification | None) -> str:
    """What became of how many bytes, and how near the answers are."""
    sizes = f"{size(before)} → {size(after)} ({ratio(before, after)})"
    return f"{sizes}, {nearness(found)}"


def nearness(found: Verification | None) -> str:
    """How near the answers are: `same answer on 99.98 % of 4,500 of your examples`."""
    if found is None or not found.outputs:
        return "not verified"
    failed = "" if found.passed else ", verification failed"
    examples = [one.examples for one in found.outputs if one.examples is not None]
    if examples:
        known = ", ".join(told_accuracies(found.outputs, "→"))
        return (f"{_nearness(examples)} {found.judged(found.examples, examples):,} of your examples"
                f"{_apart(found)}{f' ({known})' if known else ''}{failed}")
    made_up = [one.made_up for one in found.outputs if one.made_up is not None]
    if not made_up:  # a report of version 0.1.0, which did not tell them apart
        rows, agreement = max(one.rows for one in found.outputs), found.agreement
        if agreement is None:
            return f"compared on {rows:,} rows{failed}"
        return f"same answer on {floor_percent(round(agreement * rows), rows)} of {rows:,} rows{failed}"
    count = found.judged(found.made_up, made_up)
    return (f"{_nearness(made_up)} {count:,} made-up question{'s' * (count != 1)}{_apart(found)}"
            f"{failed}")


def _apart(found: Verification) -> str:
    """What became of the answers that hang on rows that were dropped."""
    those = found.apart
    if those is None or not those.rows:
        return ""
    share = f"{floor_percent(those.same, those.decisions)} of " if those.decisions else ""
    return f", {'on ' if share else ''}{share}{those.rows:,} rows that hang on what was never trained"


def _nearness(parts: list[Part]) -> str:
    """`same answer on 99.98 % of`, or how far off floats are where nothing is decided."""
    decisions = sum(part.decisions for part in parts)
    if decisions:
        return f"same answer on {floor_percent(sum(part.same for part in parts), decisions)} of"
    errors = [error for part in parts for error in (part.error, part.farthest) if error is not None]
    if not errors:
        return "compared on"
    most = percent(max(errors))
    said = most if most.startswith("less") else f"up to {most}"
    return f"answers off by {said} of their range on" if max(errors) else "same answer on"
