"""sort_by_execution_order: nodes in the order they run in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.native import run_whole


@dataclass(frozen=True)
class SortByExecutionOrder(Transform):
    """Orders the nodes so that each stands after what it reads.

        Before: y, MatMul, x
        After:  x, MatMul, y

    By the engine.
    """

    text_name: ClassVar[str] = "sort_by_execution_order"
    enters_functions: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> None:
        run_whole(graph, self.text_name)
