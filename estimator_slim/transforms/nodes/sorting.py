"""sort_by_execution_order: nodes in the order they run in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph import Graph, names
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.engine import run_whole

_MERGES = ("Merge", "RefMerge")  # they run when one input is there


@dataclass(frozen=True)
class SortByExecutionOrder(Transform):
    """Orders the nodes so that each stands after what it reads.

        Before: y, MatMul, x
        After:  x, MatMul, y

    By the engine. Mended: it gives a graph that is in order another order; here that one stays.
    """

    text_name: ClassVar[str] = "sort_by_execution_order"
    by: ClassVar[str] = "mended"
    enters_functions: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> None:
        if not _in_order(graph):
            run_whole(graph, self.text_name)


def _in_order(graph: Graph) -> bool:
    passed: set[str] = set()
    for name, node in graph.nodes.items():
        is_there = [names.node_of(tensor) in passed for tensor in node.input]
        if not (any(is_there) if node.op in _MERGES else all(is_there)):
            return False
        passed.add(name)
    return True
