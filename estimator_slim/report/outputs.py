"""How near each output of a slim servable stays to the original's, as plain data.

An OutputResult has a Part for the answers to your examples and one for those to made-up questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class OutputResult:
    """How near one output of one signature stays to the original's, over all answers.

    Numbers are None where they have no meaning: errors of strings, agreement of what is no decision.

    Attributes:
      signature: its key.
      output: its key.
      dtype: of its values.
      rows: of all its answers together.
      largest_error: largest absolute difference.
      mean_error: mean absolute difference.
      range: largest less smallest of the original's finite values.
      snr: signal to noise in dB, as it is judged; None where nothing differs or the output does not
        vary.
      agreement: share of rows with the same decision: the best of its scores, its class, its id.
      accuracy: share of rows with the right decision where labels are known, of the original.
      slim_accuracy: and of the slim servable.
      clear_agreement: agreement, near ties not counted: what is held against what is allowed. A near
        tie is a row whose best two scores are about as near as the error, as 0.501 and 0.499 where
        scores are off by 0.001: which of them is best says nothing.
      clear: how many rows are no near ties.
      examples: of the answers to your examples alone.
      made_up: of those to made-up questions.
      pairs: (original, slim) of the value that is farthest off, with six digits, for 41 rows from that
        which is least off to the farthest; of your examples where there are any. None for what is no
        float.
    """

    signature: str
    output: str
    dtype: str
    rows: int
    largest_error: float | None = None
    mean_error: float | None = None
    range: float | None = None
    snr: float | None = None
    agreement: float | None = None
    accuracy: float | None = None
    slim_accuracy: float | None = None
    clear_agreement: float | None = None
    clear: int = 0
    examples: Part | None = None
    made_up: Part | None = None
    pairs: tuple[tuple[float, float], ...] | None = None


@dataclass(frozen=True)
class Part:
    """Some of the answers for one output.

    Attributes:
      rows: of these answers together.
      error: the largest, as a share of the range that it is judged by: that of usual answers, or of all
        answers to its own question, whichever is more; 1 for outputs from 0 to 1. None for what is no
        float.
      beyond: rows that are let pass though they are farther off than is allowed; not part of `error`.
      farthest: their largest error, as a share of the same range.
      decisions: rows that decide something.
      same: of these, those with the same decision.
      clear: of these, those that are no near ties.
      clear_same: of those, the ones with the same decision.
      row_errors: how far all of these rows are off, as shares of that range, as 21 quantiles: the
        smallest, that which 5 % of rows do not exceed, 10 %, … the largest. None for what is no float.
    """

    rows: int
    error: float | None = None
    beyond: int = 0
    farthest: float | None = None
    decisions: int = 0
    same: int = 0
    clear: int = 0
    clear_same: int = 0
    row_errors: tuple[float, ...] | None = None


def accuracies(outputs: Sequence[OutputResult]) -> dict[str, tuple[float, float]]:
    """Output → accuracy of the original and of the slim servable; each pair once."""
    known: dict[tuple[float, float], str] = {}
    for one in outputs:
        if one.accuracy is not None and one.slim_accuracy is not None:
            known.setdefault((one.accuracy, one.slim_accuracy), one.output)
    return {output: pair for pair, output in known.items()}


def told_accuracies(outputs: Sequence[OutputResult], arrow: str) -> Iterator[str]:
    """`accuracy 0.9089 -> 0.9087`; with the names of outputs where there is more than one."""
    known = accuracies(outputs)
    for output, (before, after) in known.items():
        yield f"accuracy{f' of {output!r}' if len(known) > 1 else ''} {before:.4f} {arrow} {after:.4f}"
