"""What verification found, as plain data.

A Verification has an OutputResult for each output that was compared, with a Part for the answers to
your examples and one for those to made-up questions, and a Failure for each thing that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from estimator_slim.report.shares import floor_percent, percent


@dataclass(frozen=True)
class Asked:
    """Questions of one kind to one signature.

    Attributes:
      signature: its key.
      origin: `input_fn`, `warm-up`, a file's name or, of made-up ones, what they try: `a batch of 1`.
      made_up: no user sent them.
      requests: how many.
      rows: of all of them together; a request without rows counts as one.
    """

    signature: str
    origin: str
    made_up: bool
    requests: int
    rows: int


@dataclass(frozen=True)
class Verification:
    """The comparison of a slim servable with its original.

    Attributes:
      outputs: one result for each output that was compared.
      failures: what is not as it has to be; nothing if it passed.
      answered: questions that both answered.
      refused: questions that both refused.
      unverified: a sentence for each signature, or the whole, of which nothing could be compared.
      asked: questions to each.
      warnings: a sentence for each thing that differs and yet keeps nobody from using the slim servable.
      examples: rows of the questions that both answered: your examples, from a verify_input_fn, warm-up
        records or a file. What is asked of several signatures counts once.
      made_up: likewise the rows that were made up.
      max_error: the largest error that is allowed, as a share of an output's range.
      min_agreement: the smallest share of decisions that has to stay the same.
      questions: what was asked, by signature and kind.
      apart: answers that hang on rows that were dropped, which were random to the original; they are no
        part of the other numbers but the accuracies. None where no rows were dropped.
    """

    outputs: tuple[OutputResult, ...] = ()
    failures: tuple[Failure, ...] = ()
    answered: int = 0
    refused: int = 0
    unverified: tuple[str, ...] = ()
    asked: int = 0
    warnings: tuple[str, ...] = ()
    examples: int = 0
    made_up: int = 0
    max_error: float | None = None
    min_agreement: float | None = None
    questions: tuple[Asked, ...] = ()
    apart: Part | None = None

    @property
    def passed(self) -> bool:
        """True if nothing failed."""
        return not self.failures

    @property
    def agreement(self) -> float | None:
        """Share of all decisions that are the same; None where there are none."""
        return _mean((o.agreement, o.rows) for o in self.outputs)

    @property
    def clear_agreement(self) -> float | None:
        """The same, near ties not counted."""
        return _mean((o.clear_agreement, o.clear) for o in self.outputs)

    @property
    def largest_share(self) -> float | None:
        """How far the farthest row is off, as a share of its range; None where no float was compared."""
        parts = [part for one in self.outputs for part in (one.examples, one.made_up) if part]
        return max((error for part in parts for error in (part.error, part.farthest)
                    if error is not None), default=None)

    def __str__(self) -> str:
        """One line: `verified: 1 signature; 900 of your examples: same decision in 99.9 %, largest error
        0.8 % of the range (5 % allowed), accuracy 0.9089 -> 0.9087; 310 made-up rows: ...`.
        """
        if not self.outputs and self.passed:
            return f"not verified: {self._why_nothing()}"
        signatures = len({o.signature for o in self.outputs})
        examples, made_up = [o.examples for o in self.outputs], [o.made_up for o in self.outputs]
        count = self.judged(self.made_up, made_up)
        return "; ".join([
            f"{'verified' if self.passed else 'verification failed'}: "
            f"{signatures} signature{'s' * (signatures != 1)}",
            *self._told(f"{self.judged(self.examples, examples):,} of your examples", examples,
                        list(told_accuracies(self.outputs, "->"))),
            *self._told(f"{count:,} made-up row{'s' * (count != 1)}", made_up, []),
            *self._set_apart()])

    def _set_apart(self) -> Iterator[str]:
        if self.apart and self.apart.rows:
            same = (f", of which {floor_percent(self.apart.same, self.apart.decisions)} decide the same"
                    if self.apart.decisions else "")
            yield f"{self.apart.rows:,} rows hang on rows that were never trained{same}"

    def judged(self, asked: int, parts: Iterable[Part | None]) -> int:
        """How many of `asked` rows are in these parts: all, but for those that are set apart."""
        if not self.apart or not self.apart.rows:
            return asked
        return min(asked, max((part.rows for part in parts if part), default=0))

    def _told(self, what: str, parts: Sequence[Part | None], more: Sequence[str]) -> Iterator[str]:
        known = [part for part in parts if part is not None]
        if known:
            said = [*_agreements(known), *self._errors(known), *more]
            yield f"{what}: {', '.join(said)}" if said else what

    def _errors(self, parts: Sequence[Part]) -> Iterator[str]:
        shares = [part.error for part in parts if part.error is not None]
        if shares and self.max_error is not None:
            beyond = max(part.beyond for part in parts)
            farthest = max(part.farthest or 0.0 for part in parts)
            more = f"; {percent(farthest)} in {beyond} row{'s' * (beyond != 1)}" if beyond else ""
            yield (f"largest error {percent(max(shares))} of the range "
                   f"({percent(self.max_error)} allowed{more})")

    def _why_nothing(self) -> str:
        if self.answered:
            return "; ".join(self.unverified) or "no answer holds a value"
        if self.asked:
            return f"the original answered none of {self.asked} question{'s' * (self.asked != 1)}"
        return "nothing was asked"


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


@dataclass(frozen=True)
class Failure:
    """One thing that is not as it has to be.

    Attributes:
      signature: where, or `` for the servable as a whole.
      output: where, or `` for all of the signature.
      sentence: what differs, by how much, what is allowed, and for which input.
      allowing: options and the values of them that would let it pass: `(("max_error", 0.063),)`; nothing
        for what no option lets pass.
    """

    signature: str
    output: str
    sentence: str
    allowing: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        return self.sentence


def _agreements(parts: Sequence[Part]) -> Iterator[str]:
    """`same decision in 99.2 % (100 % without near ties)`."""
    decisions, same, clear, clear_same = (
        sum(counts) for counts in zip(*((p.decisions, p.same, p.clear, p.clear_same) for p in parts)))
    if decisions:
        share = floor_percent(same, decisions)
        clearly = floor_percent(clear_same, clear) if clear else "nothing but near ties"
        without = f" ({clearly}{' without near ties' if clear else ''})" if clearly != share else ""
        yield f"same decision in {share}{without if same < decisions else ''}"


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


def _mean(shares: Iterable[tuple[float | None, int]]) -> float | None:
    """The mean of (share, count) pairs, each weighed by its count; None where no share is known."""
    known = [(share, count) for share, count in shares if share is not None]
    total = sum(count for _, count in known)
    return sum(share * count for share, count in known) / total if total else None
