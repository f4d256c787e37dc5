"""What an optimization did, as plain data: a Report has a Step for each transform and a Verification."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from estimator_slim.report.treatment import Treatment
from estimator_slim.report.verification import Verification


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
      treated: what it made of single weights.
    """

    transform: str
    seconds: float
    nodes_before: int
    nodes_after: int
    skipped: list[tuple[str, str]] = field(default_factory=list)
    treated: list[Treatment] = field(default_factory=list)


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


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
