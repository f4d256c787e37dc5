"""Outputs of strings, integers and bools: the same, but where a decision hangs on a near tie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from estimator_slim.report import Failure, OutputResult, Part
from estimator_slim.transforms import Bounds
from estimator_slim.verify.comparison.column import Column, dtype_name
from estimator_slim.verify.comparison.decisions import (
    Changed,
    Scores,
    accuracies,
    changed,
    is_single,
    part_of_decisions,
)
from estimator_slim.verify.comparison.explained import Explained, explained


def compare_exact(column: Column, bounds: Bounds, beside: Sequence[Scores], *,
                  fixed: bool) -> tuple[OutputResult, Failure | None]:
    """The result for one output, and a failure where rows changed that should not have.

    Args:
      column: its answers.
      bounds: what is allowed.
      beside: the signature's scores.
      fixed: no float has a part in the output: nothing gives it a reason to change.
    """
    found = None if fixed else explained(column, bounds)
    if found is not None:
        column, rows = found.column, found.changed
    else:
        if not fixed and _decides_by_position(column, beside):
            column = column.by_position()
        rows = changed(column.want, column.got, () if fixed else beside)
    single = is_single(column.want)
    decides = single and not (found and found.printed)
    agreement = 1 - float(np.mean(rows.rows)) if decides and len(rows.rows) else None
    kept = ~rows.rows[~rows.tied] if decides else np.zeros(0)
    right = accuracies(column.labels(), column.want, column.got) if single else [None, None]
    examples, made_up = _parts(column, rows)
    result = OutputResult(column.signature, column.output, dtype_name(column.want[0]), len(rows.rows),
                          agreement=agreement, accuracy=right[0], slim_accuracy=right[1],
                          clear_agreement=float(kept.mean()) if len(kept) else None, clear=len(kept),
                          examples=examples, made_up=made_up)
    wrong = explained_failure(found, bounds) if found else _failure(column, bounds, rows, fixed)
    return result, wrong


def explained_failure(found: Explained, bounds: Bounds) -> Failure | None:
    """Where an output changed that should not have, or what it is made from is too far off.

    A decision is judged by the agreement alone, where somebody said which is enough.
    """
    wrong = _failure(found.column, bounds, found.changed, fixed=False,
                     why="for which what it is made from gives no reason")
    return wrong or (None if "min_agreement" in bounds.given and not found.printed else found.failure)


def _decides_by_position(column: Column, beside: Sequence[Scores]) -> bool:
    """True for tags [batch, time], if no scores beside are of whole rows: [batch, n]."""
    rows = sum(map(len, column.rows))
    return (all(value.ndim > 1 for value in column.want) and not is_single(column.want)
            and all(len(one.best) != rows for one in beside))


def _parts(column: Column, rows: Changed) -> list[Part | None]:
    """The answers to your examples, and those to made-up questions."""
    counts = [(len(value) if value.ndim else 1) if value.size else 0 for value in column.want]
    made_up = np.repeat(column.made_up(), counts)
    single = is_single(column.want)
    return [None if not some.any() else part_of_decisions(~rows.rows, ~rows.tied, some) if single
            else Part(int(some.sum())) for some in (~made_up, made_up)]


def _failure(column: Column, bounds: Bounds, rows: Changed, fixed: bool,
             why: str = "for which no score gives a reason") -> Failure | None:
    clear = len(rows.rows) - int(rows.tied.sum())
    allowed = bounds.disagreements(clear)
    changed = rows.wrong | rows.moved
    moved = changed if "min_agreement" in bounds.given and not fixed else rows.moved
    if moved is not changed and rows.wrong.sum() > (0 if fixed or rows.follows else allowed):
        what, at = why, rows.wrong
    elif moved.sum() > allowed:
        what, at = f"where an agreement of {bounds.min_agreement:g} is expected", moved
    else:
        return None
    answer, row = column.place_of(int(np.argmax(at)))
    want, got = (np.asarray(value[answer])[row] if np.ndim(value[answer]) else value[answer]
                 for value in (column.want, column.got))
    return column.failure(f"changed in {np.sum(rows.rows)} of {len(rows.rows)} rows, {what}: "
                          f"{_shown(got)} instead of {_shown(want)}", answer, row,
                          {} if fixed else {"min_agreement": 1 - float(changed.sum()) / clear})


def _shown(value: object) -> str:
    return repr(np.asarray(value).ravel()[:8].tolist())
