"""strip_unused_nodes: drops what no signature, init op or table needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.base import Transform


@dataclass(frozen=True)
class StripUnusedNodes(Transform):
    """Drops nodes that answering and loading do not reach.

        Before: x ─ MatMul ─ y (fetched),  MatMul ─ HistogramSummary
        After:  x ─ MatMul ─ y

    The engine's own drops table initialisers and turns every fed node into a Placeholder, for which
    `type` and `shape` (and `name`, `type_for_name`, `shape_for_name`) say what it should be. Here a
    signature keeps the tensors it feeds, so these options are accepted and change nothing.
    """

    text_name: ClassVar[str] = "strip_unused_nodes"
    by: ClassVar[str] = "ours"
    enters_functions: ClassVar[bool] = True
    type: str = ""
    shape: str = ""
    name: tuple[str, ...] = ()
    type_for_name: tuple[str, ...] = ()
    shape_for_name: tuple[str, ...] = ()

    def rewrite(self, graph: Graph) -> None:
        if self != StripUnusedNodes(ignore_errors=self.ignore_errors):
            for tensor in graph.interface.inputs():
                graph.skip(tensor, "a signature's input keeps its type and shape")
        graph.prune()
