"""merge_duplicate_nodes, inline_partitionedcall: one node for several, nodes in place of a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph import Graph, inline_calls
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.engine import NativeTransform


@dataclass(frozen=True)
class MergeDuplicateNodes(NativeTransform):
    """Leaves one of the nodes that compute the same from the same.

        Before: x ─ Shape ─ a,  x ─ Shape_1 ─ b
        After:  x ─ Shape ─ a, b

    By the engine. Nodes with a state (tables, random numbers) are never merged.
    """

    text_name: ClassVar[str] = "merge_duplicate_nodes"
    enters_functions: ClassVar[bool] = True


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
