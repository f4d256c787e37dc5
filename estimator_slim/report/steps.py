"""What an optimization was made of, as plain data: phases, the steps of its lists, the lists it tried.

Nodes are those of a graph and its functions. Bytes are those of the files that a graph, its weights and
its assets take or would take. Both are counted in one way from the original to the slim servable:

    freeze               1,058 → 609 nodes    1,024.6 → 1,024.5 MB
    quantize_weights       609 → 643          1,024.5 →   260.5
    write                  643 → 666            260.5 →   260.5
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from estimator_slim import progress
from estimator_slim.report.treatment import Treatment
from estimator_slim.report.verification import Verification
from estimator_slim.usage import Usage, measured


@dataclass
class Phase:
    """A part of the work.

    Attributes:
      name: `read`, `questions`, `freeze`, `transform`, `write`, `verify`, `measure` or `warm up`.
      rung: the number of the list that it was done for, as in Report.tried; None: for all.
      seconds: how long it took.
      peak_memory: bytes, the most that this process had meanwhile.
      child_peak_memory: bytes, the most of one process that worked for it; 0 where none did.
      nodes_before: where it changes a graph, nodes before it; else None, as those below.
      nodes_after: and after.
      bytes_before: of the servable before it.
      bytes_after: and after.
    """

    name: str
    rung: int | None = None
    seconds: float = 0.0
    peak_memory: int = 0
    child_peak_memory: int = 0
    nodes_before: int | None = None
    nodes_after: int | None = None
    bytes_before: int | None = None
    bytes_after: int | None = None


@dataclass
class Step:
    """One transform's run.

    Attributes:
      transform: its text form.
      seconds: how long it took.
      nodes_before: nodes in the graph and its functions before it.
      nodes_after: and after.
      skipped: (node, reason) for what it left alone.
      treated: what it made of single weights.
      bytes_before: of a servable of the graph before it.
      bytes_after: and after.
      peak_memory: bytes, the most that this process had meanwhile.
    """

    transform: str
    seconds: float
    nodes_before: int
    nodes_after: int
    skipped: list[tuple[str, str]] = field(default_factory=list)
    treated: list[Treatment] = field(default_factory=list)
    bytes_before: int = 0
    bytes_after: int = 0
    peak_memory: int = 0


@dataclass
class Tried:
    """One list of transforms that was tried.

    Attributes:
      name: `as asked`, `more precise`, `lossless` or `empty`.
      transforms: the list; empty for no transform.
      byte_count: files of the slim servable that it made.
      seconds: how long making and verifying it took.
      verification: what asking both servables the same showed; None where nothing was asked.
      verdict: `passed`, `failed` or `not asked`.
    """

    name: str
    transforms: str
    byte_count: int
    seconds: float
    verification: Verification | None = None
    verdict: str = "not asked"


def verdict(found: Verification | None) -> str:
    """What is said of a list."""
    if found is None:
        return "not asked"
    return "passed" if found.passed else "failed"


@contextlib.contextmanager
def phase(phases: list[Phase], name: str, rung: int | None = None) -> Iterator[Phase]:
    """A phase of what the block does, added to `phases` when it ends, however it ends."""
    one = Phase(name, rung)
    usage = Usage()
    progress.tell(name)
    try:
        with measured() as usage:
            yield one
    finally:
        one.seconds, one.peak_memory = usage.seconds, usage.peak_memory
        one.child_peak_memory = usage.child_peak_memory
        phases.append(one)
