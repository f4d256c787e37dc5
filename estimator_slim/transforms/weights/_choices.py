"""A graph that holds coded weights twice, so that a request says which are read as codes.

By it the ladder finds out which weights cause a difference: one servable, loaded once, answers the same
questions with this weight coded and the others not, then with the next one, and so on.

    Before: table ─ GatherV2(ids) ─ rows
    After:  codes ─ GatherV2(ids) ─ Cast ─ Mul ─┐
            table ─ GatherV2(ids) ──────────────┴ SelectV2(choices[0]) ─ rows
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.graph import (
    Graph,
    NodeDef,
    Weight,
    attributes,
    inside_loops,
    shared_name,
    tables_of,
)

CHOICES = "estimator_slim_choices"  # the input of every signature: bool [weights], True: as codes


def with_choices(before: Graph, after: Graph) -> tuple[Graph, list[Coded]]:
    """`after` with the weights that were coded between the two there twice.

    Args:
      before: the graph before quantize_weights.
      after: the graph that it made.

    Returns:
      The graph, whose signatures take one more input, and the weights in the order of that input. A
      weight that is read inside a loop of TensorFlow 1.x, or by its handle, has no choice: it is read as
      codes.
    """
    graph = after.copy()
    looped = inside_loops(before)
    found = [one for one in _coded(before, after) if not looped.intersection(one.nodes)]
    if not found:
        return graph, []
    choices = graph.add("Placeholder", CHOICES, dtype=tf.bool, shape=tf.TensorShape([len(found)]))
    for number, one in enumerate(found):
        wanted = _element(graph, choices, number)
        for node in one.nodes:
            _choose(graph, before, node, one, wanted)
    graph.interface = replace(graph.interface, signatures={
        key: _taking(signature, choices, len(found)) if key in graph.interface.served() else signature
        for key, signature in graph.interface.signatures.items()})
    return graph, found


@dataclass(frozen=True)
class Coded:
    """A weight that has become codes.

    Attributes:
      name: as quantize_weights calls it.
      weight: as it was.
      nodes: that decode it, in the graph with the codes.
      by_rows: requests decode the rows that they look up; others are decoded as a whole, at load.
    """

    name: str
    weight: Weight
    nodes: list[str]
    by_rows: bool


def _coded(before: Graph, after: Graph) -> Iterator[Coded]:
    for table in tables_of(before):
        rows = [node.name for node in table.lookups if after.nodes[node.name].op != node.op]
        reads = [node.name for node in after.nodes.values()
                 if node.op == "ReadVariableOp" and _is_stored(after, node, table.name)]
        if (rows or reads) and table.weight.stored is None and not table.weight.by_handle:
            yield Coded(table.name, table.weight, rows or reads, by_rows=not table.others)


def _is_stored(graph: Graph, read: NodeDef, name: str) -> bool:
    """True if `read` reads the weight of that name, stored as codes."""
    holder = graph.nodes.get(read.input[0])
    if holder is None or holder.op != "VarHandleOp" or name not in (holder.name, read.name):
        return False
    weight = graph.weights.get(shared_name(holder))
    return weight is not None and weight.stored is not None


def _choose(graph: Graph, before: Graph, node: str, one: Coded, wanted: str) -> None:
    """Puts a choice between codes and floats in the place of `node`."""
    coded = graph.nodes.pop(node)
    coded.name = graph.unique(f"{node}/coded")
    graph.nodes[coded.name] = coded
    floats = graph.add_weight(f"{one.name}/floats", one.weight)
    if coded.op != "ReadVariableOp":
        lookup = before.nodes[node]
        floats = graph.add(lookup.op, f"{node}/floats", [floats, *lookup.input[1:]], **lookup.attr)
    graph.nodes[node] = NodeDef(name=node, op="SelectV2", input=[wanted, coded.name, floats])
    attributes.put(graph.nodes[node], "T", one.weight.dtype)


def _element(graph: Graph, choices: str, number: int) -> str:
    place, axis = (graph.add_constant(f"{CHOICES}/{what}", np.int32(value))
                   for what, value in (("place", number), ("axis", 0)))
    return graph.add("GatherV2", f"{CHOICES}/chosen", [choices, place, axis], Tparams=tf.bool,
                     Tindices=tf.int32, Taxis=tf.int32, batch_dims=0)


def _taking(signature: meta_graph_pb2.SignatureDef, choices: str,
            count: int) -> meta_graph_pb2.SignatureDef:
    taking = meta_graph_pb2.SignatureDef()
    taking.CopyFrom(signature)
    info = taking.inputs[CHOICES]
    info.name, info.dtype = f"{choices}:0", tf.bool.as_datatype_enum
    info.tensor_shape.CopyFrom(tf.TensorShape([count]).as_proto())
    return taking
