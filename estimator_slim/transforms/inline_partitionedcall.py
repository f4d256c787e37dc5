"""inline_partitionedcall: the bodies of functions in place of their calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import Graph
from estimator_slim.graph.inlining import inline_calls
from estimator_slim.transforms.base import Transform


@dataclass(frozen=True)
class InlinePartitionedcall(Transform):
    """Puts the nodes of a function where it is called.

        Before: x ─ PartitionedCall(f) ─ y
        After:  x ─ f's nodes ─ y

    Ours: the engine's mixes up the outputs of operations that have several, and fails on control
    dependencies and on functions that return an argument. Calls are inlined already when a servable is
    read, so in a list this finds those in the bodies of loops and branches.
    """

    text_name: ClassVar[str] = "inline_partitionedcall"
    by: ClassVar[str] = "ours"
    enters_functions: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> None:
        inline_calls(graph)
