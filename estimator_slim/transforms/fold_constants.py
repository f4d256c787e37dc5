"""fold_constants: what is constant, computed ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.errors import OptionError
from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph
from estimator_slim.graph.unexecuted import hold, release
from estimator_slim.transforms.computable import left_to_requests
from estimator_slim.transforms.native import NativeTransform
from estimator_slim.transforms.place_weights import CONSTANT_BYTES

_ROUNDS = 10  # in each the sizes of more values are known
_MOST_BYTES = 10 << 20  # the engine's own limit


@dataclass(frozen=True)
class FoldConstants(NativeTransform):
    """Computes once, now, what does not depend on a request.

        Before: Const(2) ─ Mul(Const(3)) ─ Add(x)
        After:  Const(6) ─ Add(x)

    By the engine, over the part of the graph that answers requests: it cannot fold a graph that has
    an init op, and with ignore_errors it then does nothing and says nothing. Mended: it would read
    files, too, and make strings of any size; what may be computed ahead is told it (`computable.py`).
    It spells out defaults, also of attributes that older TensorFlows do not know and refuse; these go.

    Attributes:
      clear_output_shapes: drop recorded `_output_shapes`, which may be out of date.
      exclude_op: leave nodes of these operations, and what depends on them, to be computed.
      exclude_node: leave these nodes, and what depends on them, to be computed.
      max_constant_size_in_bytes: leave what would be larger to be computed. Where it is not given, also
        what would be larger than 256 KiB and than what it is made from: the servable would grow.
    """

    text_name: ClassVar[str] = "fold_constants"
    by: ClassVar[str] = "mended"
    enters_functions: ClassVar[bool] = True
    clear_output_shapes: bool = True
    exclude_op: tuple[str, ...] = ()
    exclude_node: tuple[str, ...] = ()
    max_constant_size_in_bytes: int = _MOST_BYTES

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.max_constant_size_in_bytes < 2**63:
            raise OptionError("fold_constants(max_constant_size_in_bytes=...) takes 0 to 2**63 - 1, got "
                              f"{self.max_constant_size_in_bytes}")

    def rewrite(self, graph: Graph) -> None:
        spelt = {(name, node.op): set(node.attr) for name, node in graph.nodes.items()}
        self._fold(graph)
        for node in graph.nodes.values():
            for key in set(node.attr).difference(spelt.get((node.name, node.op), node.attr)):
                del node.attr[key]

    def _fold(self, graph: Graph) -> None:
        before: set[str] = set()
        limit = self.max_constant_size_in_bytes
        most_grown = CONSTANT_BYTES if limit == _MOST_BYTES else limit
        for _ in range(_ROUNDS):
            held = left_to_requests(graph, limit, most_grown)
            hold(held)
            NativeTransform.rewrite(self, graph)
            release(graph.nodes.values())
            left = {node.name for node in held if _reads_constants(graph, node.name)}
            if left <= before:
                break
            before = left


def _reads_constants(graph: Graph, name: str) -> bool:
    """True if all that a node reads is known now, which the size of what it makes may follow from."""
    node = graph.nodes.get(name)
    return node is not None and all(graph.nodes[names.node_of(i)].op == "Const" for i in node.input)
