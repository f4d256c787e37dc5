"""remove_control_dependencies: answers that wait for nothing that they do not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph import names
from estimator_slim.graph.graph import VARIABLE_OPS, Graph, NodeDef, shared_name
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.old_control_flow import inside_branches, inside_loops, reached


@dataclass(frozen=True)
class RemoveControlDependencies(Transform):
    """Drops the control dependencies of the part that answers requests, and what only they held.

        Before: Assert ─ ^Identity(x) ─ MatMul ─ y
        After:  Identity(x) ─ MatMul ─ y

    Asserts stop running: what they refused is then answered. Accepted requests are answered as before.

    Ours: the engine's also drops what fills tables and variables at load, what lets a variable that
    requests change be changed, and what keeps constants inside the branches and loops of TensorFlow 1.x,
    which then take the wrong branch or fail. These dependencies stay.
    """

    text_name: ClassVar[str] = "remove_control_dependencies"
    by: ClassVar[str] = "ours"

    def rewrite(self, graph: Graph) -> None:
        if not any(names.is_control(i) for node in graph.nodes.values() for i in node.input):
            return
        loading = graph.ancestors(graph.interface.load_roots())
        needed = reached(graph, _state(graph)).union(inside_branches(graph), inside_loops(graph))
        for name, node in graph.nodes.items():
            if name not in loading:
                node.input[:] = [i for i in node.input
                                 if not names.is_control(i) or i[1:] in needed]


def _state(graph: Graph) -> list[str]:
    """The variables and tables that requests may change."""
    return [node.name for node in graph.nodes.values()
            if node.op.startswith("Mutable") or _is_state(graph, node)]


def _is_state(graph: Graph, node: NodeDef) -> bool:
    weight = graph.weights.get(shared_name(node)) if node.op in VARIABLE_OPS else None
    return node.op in VARIABLE_OPS and (weight is None or weight.mutable)
