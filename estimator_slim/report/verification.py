"""What verification found, as plain data.

A Verification has an OutputResult for each output that was compared, and a Failure for each thing that
is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from estimator_slim.report.outputs import OutputResult, Part, told_accuracies
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


def _mean(shares: Iterable[tuple[float | None, int]]) -> float | None:
    """The mean of (share, count) pairs, each weighed by its count; None where no share is known."""
    known = [(share, count) for share, count in shares if share is not None]
    total = sum(count for _, count in known)
    return sum(share * count for share, count in known) / total if total else None
