"""A transform that fails, at those of its runs that a test chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.base import Transform


@dataclass(frozen=True)
class Failing(Transform):
    """Fails at those of its runs, counted from 0, that are in `at`; clear `runs` before each test."""

    text_name: ClassVar[str] = "failing"
    at: tuple[int, ...] = (0,)
    runs: ClassVar[list[int]] = []

    def rewrite(self, graph: Graph) -> None:
        self.runs.append(len(self.runs))
        if self.runs[-1] in self.at:
            raise RuntimeError("the fuse is lit")
