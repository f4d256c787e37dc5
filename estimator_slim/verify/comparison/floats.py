"""Outputs of floats: how far they are off, whether that is allowed, and what their scores decide."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from estimator_slim.report import Failure, OutputResult, Part
from estimator_slim.transforms import Bounds
from estimator_slim.verify.comparison.column import Column, dtype_name
from estimator_slim.verify.comparison.decisions import (
    Scores,
    accuracies,
    are_scores,
    decide,
    part_of_decisions,
)
from estimator_slim.verify.comparison.lenience import excused
from estimator_slim.verify.comparison.numbers import (
    Deviation,
    Pairs,
    decibels,
    deviation,
    paired,
    ratio,
)
from estimator_slim.verify.questions import EXTREME

_QUANTILES = np.linspace(0, 1, 21)
_SHOWN = 41  # rows of which a record holds a value
_PART = 4.0  # what all rows are off alike is held to this part of what a row may be off


@dataclass(frozen=True)
class Floats:
    """What there is to know of one output of floats.

    Attributes:
      column: its answers.
      pairs: the same as matrices.
      deviation: of their finite rows.
      scores: what they decide, where they are scores; a row for each of [batch] or [batch, ...].
    """

    column: Column
    pairs: Pairs
    deviation: Deviation
    scores: Scores | None

    @property
    def decided(self) -> Scores | None:
        """The scores of an output [batch, n], whose best is a decision.

        Those of [batch, time, n] only explain an output beside them, such as tags [batch, time].
        """
        return self.scores if self.column.want[0].ndim == 2 else None


def measured(column: Column, bounds: Bounds) -> Floats | None:
    """The measures of a column of floats; None where its answers hold no value at all."""
    pairs = paired(column.want, column.got)
    if not len(pairs.want):
        return None
    made_up = column.made_up()[pairs.answer]
    usual = np.array([request.origin not in EXTREME for request in column.requests])[pairs.answer]
    off = deviation(pairs.finite(), by_answer=made_up | bounds.by_answer, usual=usual,
                    constant=bounds.max_error / _PART)
    off = replace(off, counted=~excused(pairs.finite(), off, bounds, made_up), usual=ratio(bounds.snr))
    decided = decide(pairs, off) if are_scores(column.want) else None
    return Floats(column, pairs, off, decided)


def result(floats: Floats) -> OutputResult:
    """The measures, for the report."""
    off, decided, column = floats.deviation, floats.decided, floats.column
    right, noise = _accuracies(floats) if decided else [None, None], off.mean_noise
    kept = ~decided.moved[decided.clear] if decided else np.zeros(0)
    made_up = column.made_up()[floats.pairs.answer]
    return OutputResult(
        column.signature, column.output, dtype_name(column.want[0]), len(floats.pairs.want),
        float(off.error.max()), off.mean, off.range, decibels(noise) if noise else None,
        float(np.mean(~decided.moved)) if decided else None, right[0], right[1],
        float(kept.mean()) if len(kept) else None, len(kept),
        _part(floats, ~made_up), _part(floats, made_up), _pairs(floats, made_up))


def _pairs(floats: Floats, made_up: np.ndarray) -> tuple[tuple[float, float], ...]:
    """(original, slim) of some rows, see OutputResult."""
    known = floats.pairs.are_finite()
    rows = np.flatnonzero(known & ~made_up if (known & ~made_up).any() else known)
    rows = rows[np.argsort(floats.deviation.error[rows], kind="stable")]
    some = rows[np.unique(np.linspace(0, max(0, len(rows) - 1), _SHOWN).round().astype(int))[:len(rows)]]
    want, got = floats.pairs.want[some], floats.pairs.got[some]
    at = np.arange(len(some)), np.abs(got - want).argmax(axis=1)
    return tuple((float(f"{w:.6g}"), float(f"{g:.6g}")) for w, g in zip(want[at], got[at]))


def _part(floats: Floats, rows: np.ndarray) -> Part | None:
    """The measures of these rows; None where there are none."""
    if not rows.any():
        return None
    off, decided = floats.deviation, floats.decided
    let_pass = rows & ~off.counted
    part = (Part(int(rows.sum())) if decided is None
            else part_of_decisions(~decided.moved, decided.clear, rows))
    return replace(part, error=float(off.share[rows & off.counted].max(initial=0.0)),
                   beyond=int(let_pass.sum()),
                   farthest=float(off.share[let_pass].max()) if let_pass.any() else None,
                   row_errors=tuple(map(float, np.quantile(off.share[rows], _QUANTILES))))


def failure(floats: Floats, bounds: Bounds) -> Failure | None:
    """The most serious thing that `bounds` do not allow; None where there is nothing."""
    broken, far, other = (check(floats, bounds) for check in (_not_finite, _too_far, _decides_otherwise))
    found = broken or far or other
    if found is None:
        return None
    allowing = {}
    if far and not broken:
        allowing["max_error"] = float(floats.deviation.share.max())
    if other and not broken:
        allowing["min_agreement"] = result(floats).clear_agreement or 0.0
    what, row = found
    at = int(floats.pairs.answer[row]), int(floats.pairs.row[row])
    return floats.column.failure(what, *at, allowing)


_Found = tuple[str, int]  # what is wrong, the row of the matrices that shows it best


def _not_finite(floats: Floats, bounds: Bounds) -> _Found | None:
    want, got = floats.pairs.want, floats.pairs.got
    same = (want == got) | (np.isnan(want) & np.isnan(got))
    wrong = ~same & ~(np.isfinite(want) & np.isfinite(got))
    if not wrong.any():
        return None
    row, at = np.argwhere(wrong)[0]
    return f"is {got[row, at]:.3g} where the original's is {want[row, at]:.3g}", row


def _too_far(floats: Floats, bounds: Bounds) -> _Found | None:
    """By its distance alone, where somebody said how far is too far; else by its noise too."""
    off = floats.deviation
    share, noise = (np.where(off.counted, measure, 0.0) for measure in (off.share, off.noise))
    row = int(np.argmax(share))
    if share[row] > bounds.max_error:
        return (f"is off by {off.error[row]:.3g}, {share[row]:.2g} of its range, where "
                f"{bounds.max_error:g} is allowed"), row
    row = int(np.argmax(noise))
    if "max_error" in bounds.given:
        return None
    if off.mean_noise > ratio(bounds.snr):
        return (f"has {decibels(off.mean_noise):.1f} dB of signal to noise, where at least "
                f"{bounds.snr:g} is expected"), row
    if noise[row] > ratio(bounds.row_snr):
        return (f"has a row with {decibels(noise[row]):.1f} dB of signal to noise, where at least "
                f"{bounds.row_snr:g} is expected"), row
    return None


def _decides_otherwise(floats: Floats, bounds: Bounds) -> _Found | None:
    if floats.decided is None:
        return None
    clear = floats.decided.clear
    wrong = clear & floats.decided.moved
    if wrong.sum() <= bounds.disagreements(int(clear.sum())):
        return None
    return (f"has another best score in {wrong.sum()} of the {clear.sum()} rows that are no near tie, "
            f"where an agreement of {bounds.min_agreement:g} is expected"), int(np.argmax(wrong))


def _accuracies(floats: Floats) -> list[float | None]:
    ends = np.cumsum([len(value) for value in floats.column.want])[:-1]
    assert floats.scores is not None
    return accuracies(floats.column.labels(),
                      np.split(floats.scores.best, ends), np.split(floats.scores.slim_best, ends))
