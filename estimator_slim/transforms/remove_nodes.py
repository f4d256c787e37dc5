"""remove_nodes: takes out operations that pass their input on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.errors import OptionError
from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.native import NativeTransform, hidden


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

    def rewrite(self, graph: Graph) -> None:
        waited_for = {names.node_of(i) for node in graph.nodes.values() for i in node.input
                      if names.is_control(i)}
        kept = [node.name for node in graph.nodes.values() if node.op in self.op and (
            node.name in waited_for or any(names.is_control(i) for i in node.input))]
        for name in kept:
            graph.skip(name, "a control dependency goes through it")
        with hidden(graph, kept):
            super().rewrite(graph)
