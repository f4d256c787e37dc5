"""Which weights a graph reads by lookups, and which in any other way."""

from __future__ import annotations

from dataclasses import dataclass, field

from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.graph.weight import Weight

_PASS_ON = ("Identity", "ReadVariableOp")


@dataclass
class Table:
    """A weight and everything that reads it.

    Attributes:
      name: the node that holds it, a Const or a VarHandleOp.
      weight: the value, by reference.
      lookups: nodes that gather rows of it along axis 0.
      others: nodes that read it in any other way; a signature that fetches it counts as one.
    """

    name: str
    weight: Weight
    lookups: list[NodeDef] = field(default_factory=list)
    others: list[NodeDef] = field(default_factory=list)


def tables(graph: Graph) -> list[Table]:
    """Every weight of `graph` that something reads, in the order of its nodes."""
    found: dict[str, Table] = {}
    fetched = {names.node_of(t) for t in graph.interface.outputs()}
    for node in graph.nodes.values():
        for index, tensor in enumerate(node.input):
            if names.is_control(tensor) or (_passes_on(graph, node) and node.name not in fetched):
                continue
            holder = _holder(graph, tensor)
            if holder is None:
                continue
            table = found.get(holder.name) or _table(graph, holder, tensor)
            if table is not None:
                found[holder.name] = table
                by_row = index == 0 and gathers_rows(graph, node)
                (table.lookups if by_row else table.others).append(node)
    return list(found.values())


def gathers_rows(graph: Graph, node: NodeDef) -> bool:
    """True if `node` gathers whole rows of its first input."""
    if node.op == "Gather":
        return True
    return (node.op == "GatherV2" and not node.attr["batch_dims"].i
            and graph.constant(node.input[2]) == 0)


def _passes_on(graph: Graph, node: NodeDef) -> bool:
    return node.op in _PASS_ON and len(node.input) == 1


def _holder(graph: Graph, tensor: str) -> NodeDef | None:
    node = graph.producer(tensor)
    if node.op == "ReadVariableOp":
        return graph.nodes[names.node_of(node.input[0])]
    return node if node.op == "Const" else None


def _table(graph: Graph, holder: NodeDef, tensor: str) -> Table | None:
    weight = graph.weight(tensor)
    return None if weight is None else Table(holder.name, weight)
