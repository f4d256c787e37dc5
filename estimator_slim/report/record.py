"""What an optimization did and what verification found: plain data, the one source of every view of it.

A Report has a Step for each transform and a Verification, which has an OutputResult for each output that
was compared and a Failure for each thing that is not as it has to be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """One optimization of one servable.

    Attributes:
      source: directory of the original.
      destination: directory of the slim servable.
      signatures: names of the signatures that requests can use.
      bytes_before: files of the original.
      bytes_after: files of the slim servable.
      nodes_before: nodes in the graph of the original.
      nodes_after: nodes in the slim graph.
      seconds: the whole optimization.
      steps: one for each transform, in order.
      verification: what asking both servables the same showed; None where nothing was asked.
      tried: the lists that were tried, the last of which made the slim servable.
    """

    source: str
    destination: str
    signatures: list[str]
    bytes_before: int
    bytes_after: int
    nodes_before: int
    nodes_after: int
    seconds: float
    steps: list[Step] = field(default_factory=list)
    verification: Verification | None = None
    tried: list[Tried] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Bytes of the slim servable as a part of the original's."""
        return self.bytes_after / max(1, self.bytes_before)

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return (f"{_size(self.bytes_before)} -> {_size(self.bytes_after)} "
                f"({self.ratio:.3f}), {self.nodes_before} -> {self.nodes_after} nodes, "
                f"in {self.seconds:.1f} s: {self.destination}")


@dataclass
class Step:
    """One transform's run.

    Attributes:
      transform: its text form.
      seconds: how long it took.
      nodes_before: nodes in the graph before it.
      nodes_after: and after.
      skipped: (node, reason) for what it left alone.
    """

    transform: str
    seconds: float
    nodes_before: int
    nodes_after: int
    skipped: list[tuple[str, str]] = field(default_factory=list)


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
    """

    outputs: tuple[OutputResult, ...] = ()
    failures: tuple[Failure, ...] = ()
    answered: int = 0
    refused: int = 0
    unverified: tuple[str, ...] = ()
    asked: int = 0

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

    def __str__(self) -> str:
        """`verified: 3 signatures, 640 answers, agreement 0.9995, largest error 0.012, 41.2 dB`."""
        if not self.outputs and self.passed:
            return f"not verified: {self._why_nothing()}"
        signatures = len({o.signature for o in self.outputs})
        parts = [f"{'verified' if self.passed else 'verification failed'}: "
                 f"{signatures} signature{'s' * (signatures != 1)}, {self.answered} answers"]
        errors = [o.largest_error for o in self.outputs if o.largest_error is not None]
        noises = [o.snr for o in self.outputs if o.snr is not None]
        if self.agreement is not None:
            parts.append(f"agreement {self.agreement:.4f}{self._without_ties()}")
        parts += [f"largest error {max(errors):.2g}"] if errors else []
        parts += [f"{min(noises):.1f} dB"] if noises else []
        return ", ".join(parts)

    def _without_ties(self) -> str:
        if self.agreement == self.clear_agreement or self.agreement == 1:
            return ""
        if self.clear_agreement is None:
            return " (nothing but near ties)"
        return f" ({self.clear_agreement:.4f} without near ties)"

    def _why_nothing(self) -> str:
        if self.answered:
            return "; ".join(self.unverified) or "no answer holds a value"
        if self.asked:
            return f"the original answered none of {self.asked} question{'s' * (self.asked != 1)}"
        return "nothing was asked"


@dataclass
class Tried:
    """One list of transforms that was tried.

    Attributes:
      name: `as asked`, `more precise`, `lossless` or `empty`.
      transforms: the list; empty for no transform.
      byte_count: files of the slim servable that it made.
      seconds: how long making and verifying it took.
      verification: what asking both servables the same showed; None where nothing was asked.
    """

    name: str
    transforms: str
    byte_count: int
    seconds: float
    verification: Verification | None = None


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
      snr: signal to noise in dB; None where nothing differs or the output does not vary.
      agreement: share of rows with the same decision: the best of its scores, its class, its id.
      accuracy: share of rows with the right decision where labels are known, of the original.
      slim_accuracy: and of the slim servable.
      clear_agreement: agreement, near ties not counted: what is held against what is allowed. A near
        tie is a row whose best two scores are about as near as the error, as 0.501 and 0.499 where
        scores are off by 0.001: which of them is best says nothing.
      clear: how many rows are no near ties.
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


@dataclass(frozen=True)
class Failure:
    """One thing that is not as it has to be.

    Attributes:
      signature: where, or `` for the servable as a whole.
      output: where, or `` for all of the signature.
      sentence: what differs, by how much, what is allowed, and for which input.
    """

    signature: str
    output: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def _mean(shares: Iterable[tuple[float | None, int]]) -> float | None:
    """The mean of (share, count) pairs, each weighed by its count; None where no share is known."""
    known = [(share, count) for share, count in shares if share is not None]
    total = sum(count for _, count in known)
    return sum(share * count for share, count in known) / total if total else None


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
