"""insert_logging: the values of nodes on stderr, for every request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.graph import Consumers, Graph, NodeDef, names, operations
from estimator_slim.transforms.base import Skip, Transform

_SUFFIX = "__print__"
_CONTROL_FLOW = ("Enter", "Exit", "Switch", "Merge", "NextIteration", "LoopCond", "ControlTrigger")
_NOT_PRINTED = (tf.resource, tf.variant)


@dataclass(frozen=True)
class InsertLogging(Transform):
    """Puts a Print behind nodes; answers stay the same.

        Before: x ─ MatMul ─ Softmax
        After:  x ─ MatMul ─ Print ─ Softmax

    Only nodes that answer requests, constants aside, and whose first output another node reads. For
    what freeze_requantization_ranges needs, insert_logging(op=RequantizationRange, show_name=true,
    message="__requant_min_max:").

    Ours: the engine's makes invalid nodes where an output is not read, of reference variables and of
    operations without outputs, and leaves the loops of TensorFlow 1.x without an answer.

    Attributes:
      op: log these operations; none: all.
      prefix: log nodes whose names begin with one of these; none: all.
      show_op: print the operation before the values.
      show_name: print the name of the Print, `<node>__print__`, before the values.
      message: what to print before the values.
      first_n: how often each Print prints, -1 for always.
      summarize: how many values of a tensor are printed.
    """

    text_name: ClassVar[str] = "insert_logging"
    by: ClassVar[str] = "ours"
    op: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    show_op: bool = False
    show_name: bool = False
    message: str = ""
    first_n: int = -1
    summarize: int = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("first_n", "summarize"):
            if not -1 <= getattr(self, option) < 2**31:
                raise OptionError(f"insert_logging({option}=...) takes -1 or more, got "
                                  f"{getattr(self, option)}")

    def rewrite(self, graph: Graph) -> list[Skip]:
        consumers = Consumers(graph)
        asked = graph.ancestors(names.node_of(tensor) for tensor in graph.interface.outputs())
        printed, skips = {}, []
        for node in [n for n in graph.nodes.values() if n.name in asked and self._matches(n)]:
            ports = consumers.outputs_read(node.name)
            reason = _obstacle(graph, node, ports)
            if reason:
                skips.append(Skip(node.name, reason))
            else:
                printed[node.name] = self._print(graph, node, ports)
        graph.redirect(printed)
        for name, print_name in printed.items():
            inputs = graph.nodes[print_name].input
            inputs[:] = [name if i == print_name else i for i in inputs]
        return skips

    def _matches(self, node: NodeDef) -> bool:
        return ((not self.op or node.op in self.op)
                and (not self.prefix or node.name.startswith(self.prefix))
                and not node.name.endswith(_SUFFIX))

    def _print(self, graph: Graph, node: NodeDef, ports: list[int]) -> str:
        types = operations.output_types(node, {})
        shown = (f";{node.op};" if self.show_op else "") + (
            f";{node.name}{_SUFFIX};" if self.show_name else "")
        return graph.add("Print", f"{node.name}{_SUFFIX}",
                         [node.name, *(names.tensor(node.name, port) for port in ports)],
                         T=types[0], U=[types[port] for port in ports], message=shown + self.message,
                         first_n=self.first_n, summarize=self.summarize)


def _obstacle(graph: Graph, node: NodeDef, ports: list[int]) -> str | None:
    if 0 not in ports:
        return "no node reads its first output"
    if node.op.startswith(_CONTROL_FLOW):
        return "it directs a branch or a loop"
    if node.op == "Const":
        return "it is a constant, by which TensorFlow may know a shape ahead"
    if node.name in graph.interface.fed:
        return "a signature feeds it"
    if not operations.is_registered(node.op):
        return "it calls a function"
    types = operations.output_types(node, {})
    if operations.makes_references(node.op) or any(types[port] in _NOT_PRINTED for port in ports):
        return "its output is a handle, not a value"
    return None
