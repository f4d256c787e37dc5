"""strip_unused_nodes, remove_nodes, remove_control_dependencies: what is taken out of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.errors import OptionError
from estimator_slim.graph import (
    VARIABLE_OPS,
    Consumers,
    Graph,
    NodeDef,
    inside_branches,
    inside_loops,
    names,
    reached,
    shared_name,
)
from estimator_slim.transforms.base import Skip, Transform
from estimator_slim.transforms.engine import NativeTransform, hidden


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

    def rewrite(self, graph: Graph) -> list[Skip]:
        graph.prune()
        if self == StripUnusedNodes(ignore_errors=self.ignore_errors):
            return []
        return [Skip(tensor, "a signature's input keeps its type and shape")
                for tensor in graph.interface.inputs()]


@dataclass(frozen=True)
class RemoveNodes(NativeTransform):
    """Takes out every node of the given ops and gives its consumers its first input.

        Before: x ─ Identity ─ MatMul
        After:  x ─ MatMul

    By the engine. Mended: it would also take out the nodes that Asserts and branches hang on by control
    edges, and lose those edges; such nodes are hidden from it and stay.

    Attributes:
      op: the ops to take out, for example `remove_nodes(op=Identity, op=CheckNumerics)`.
      max_inputs: nodes with more inputs stay.
    """

    text_name: ClassVar[str] = "remove_nodes"
    by: ClassVar[str] = "mended"
    enters_functions: ClassVar[bool] = True
    op: tuple[str, ...] = ()
    max_inputs: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.op:
            raise OptionError("remove_nodes needs the ops to remove, as in remove_nodes(op=Identity)")

    def rewrite(self, graph: Graph) -> list[Skip]:
        consumers = Consumers(graph)
        kept = [node.name for node in graph.nodes.values() if node.op in self.op and (
            consumers.waiting_for(node.name) or names.control_inputs(node))]
        with hidden(graph, kept):
            super().rewrite(graph)
        return [Skip(name, "a control dependency goes through it") for name in kept]


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
        if not any(map(names.control_inputs, graph.nodes.values())):
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
