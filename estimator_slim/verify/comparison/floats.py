"""Outputs of floats: how far they are off, whether that is allowed, and what their scores decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from estimator_slim.report import Failure, OutputResult
from estimator_slim.transforms import Bounds
from estimator_slim.verify.comparison.column import Column, dtype_name
from estimator_slim.verify.comparison.decisions import Scores, accuracies, are_scores, decide
from estimator_slim.verify.comparison.numbers import Deviation, Pairs, decibels, deviation, paired


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
    off = deviation(pairs.finite(), by_answer=bounds.by_answer)
    decided = decide(pairs, off) if are_scores(column.want) else None
    return Floats(column, pairs, off, decided)


def result(floats: Floats) -> OutputResult:
    """The measures, for the report."""
    off, decided, column = floats.deviation, floats.decided, floats.column
    noise = float(off.noise.mean())
    right = _accuracies(floats) if decided else [None, None]
    kept = ~decided.moved[decided.clear] if decided else np.zeros(0)
    return OutputResult(
        column.signature, column.output, dtype_name(column.want[0]), len(floats.pairs.want),
        float(off.error.max()), off.mean, off.range, decibels(noise) if noise else None,
        float(np.mean(~decided.moved)) if decided else None, right[0], right[1],
        float(kept.mean()) if len(kept) else None, len(kept))


def failure(floats: Floats, bounds: Bounds) -> Failure | None:
    """The most serious thing that `bounds` do not allow; None where there is nothing."""
    checks = (_not_finite(floats), _too_far(floats, bounds), _too_noisy(floats, bounds),
              _row_too_noisy(floats, bounds), _decides_otherwise(floats, bounds))
    return next((_said(floats, *found) for found in checks if found is not None), None)


_Found = tuple[str, int]  # what is wrong, the row of the matrices that shows it best


def _said(floats: Floats, what: str, row: int) -> Failure:
    return floats.column.failure(what, int(floats.pairs.answer[row]), int(floats.pairs.row[row]))


def _not_finite(floats: Floats) -> _Found | None:
    want, got = floats.pairs.want, floats.pairs.got
    same = (want == got) | (np.isnan(want) & np.isnan(got))
    wrong = ~same & ~(np.isfinite(want) & np.isfinite(got))
    if not wrong.any():
        return None
    row, at = np.argwhere(wrong)[0]
    return f"is {got[row, at]:.3g} where the original's is {want[row, at]:.3g}", row


def _too_far(floats: Floats, bounds: Bounds) -> _Found | None:
    off = floats.deviation
    over = off.error - off.rounding - bounds.max_error * off.span
    row = int(np.argmax(over))
    if over[row] <= 0:
        return None
    share = off.error[row] / off.span
    return (f"is off by {off.error[row]:.3g}, {share:.2g} of its range, where {bounds.max_error:g} is "
            "allowed"), row


def _too_noisy(floats: Floats, bounds: Bounds) -> _Found | None:
    noise = floats.deviation.noise
    if noise.mean() <= 10 ** (-bounds.snr / 10):
        return None
    return (f"has {decibels(noise.mean()):.1f} dB of signal to noise, where at least {bounds.snr:g} is "
            "expected"), int(np.argmax(noise))


def _row_too_noisy(floats: Floats, bounds: Bounds) -> _Found | None:
    noise = floats.deviation.noise
    row = int(np.argmax(noise))
    if noise[row] <= 10 ** (-bounds.row_snr / 10):
        return None
    return (f"has a row with {decibels(noise[row]):.1f} dB of signal to noise, where at least "
            f"{bounds.row_snr:g} is expected"), row


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
