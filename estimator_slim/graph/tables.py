"""Which weights a graph reads by lookups, and which in any other way."""

from __future__ import annotations

from dataclasses import dataclass, field

from estimator_slim.graph import _names as names
from estimator_slim.graph._operations import attribute
from estimator_slim.graph.graph import Graph, NodeDef, shared_name
from estimator_slim.graph.weight import Weight

_PASS_ON = ("Identity", "ReadVariableOp")


@dataclass
class Table:
    """A weight and everything that reads it.

    Attributes:
      name: the node that holds it, a Const or a VarHandleOp.
      weight: the value, by reference.
      lookups: nodes that gather rows of it along axis 0.
      others: nodes that read it in any other way (by its handle, say), and what a signature fetches.
    """

    name: str
    weight: Weight
    lookups: list[NodeDef] = field(default_factory=list)
    others: list[NodeDef] = field(default_factory=list)


def tables_of(graph: Graph) -> list[Table]:
    """Every weight of `graph` that something reads, in the order of its nodes."""
    found: dict[str, Table] = {}
    fetched = {names.node_of(t) for t in graph.interface.outputs()}
    for node in graph.nodes.values():
        if node.name in fetched:
            _add(graph, found, node.name, node, by_row=False)
        for index, tensor in enumerate(names.data_inputs(node)):
            if not _passes_on(graph, node):
                _add(graph, found, tensor, node, by_row=index == 0 and gathers_rows(graph, node))
    return list(found.values())


def _add(graph: Graph, found: dict[str, Table], tensor: str, consumer: NodeDef, *, by_row: bool) -> None:
    """Lists the node `consumer` in the table whose value `tensor` is, if it is that of one."""
    holder = graph.producer(tensor)
    if holder.op == "ReadVariableOp":
        holder = graph.nodes[names.node_of(holder.input[0])]
    if holder.name not in found:
        weight = _held(graph, holder)
        if weight is None:
            return
        found[holder.name] = Table(holder.name, weight)
    table = found[holder.name]
    (table.lookups if by_row and not table.weight.by_handle else table.others).append(consumer)


def _held(graph: Graph, holder: NodeDef) -> Weight | None:
    if holder.op != "VarHandleOp":
        return graph.weight(holder.name) if holder.op == "Const" else None
    weight = graph.weights.get(shared_name(holder))
    return None if weight is None or weight.mutable else weight


def gathers_rows(graph: Graph, node: NodeDef) -> bool:
    """True if `node` gathers whole rows of its first input."""
    if node.op == "Gather":
        return True
    return (node.op == "GatherV2" and not attribute(node, "batch_dims").i
            and graph.constant(node.input[2]) == 0)


def _passes_on(graph: Graph, node: NodeDef) -> bool:
    return node.op in _PASS_ON and len(node.input) == 1
