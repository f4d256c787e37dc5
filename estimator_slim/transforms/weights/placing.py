"""Where weights are written: in `variables/` or as constants in saved_model.pb.

Up to 256 KiB a Const costs nothing and lets its neighbours be folded; beyond, it is parsed, copied into
the graph and copied again, and takes several times its size in memory, where a variable is read once.
"""

from __future__ import annotations

from collections.abc import Container

import tensorflow as tf

from estimator_slim.errors import DestinationError
from estimator_slim.graph import CONSTANT_BYTES, Graph, NodeDef, attribute, names

VARIABLES, CONSTANTS = "variables", "constants"

SMALLEST_VARIABLE = 1 << 10    # variables: Consts below this size stay
PROTO_BYTES = 2**31 - 1        # what a saved_model.pb can hold


def place_weights(graph: Graph, place: str) -> Graph:
    """`graph` with its weights where `place` says.

    `auto` leaves variables as they are and makes variables of constants above 256 KiB. Constants of a
    node that reads nothing else stay: it is computed ahead, by fold_constants or when TensorFlow loads
    the graph, and with a variable it would be computed at each request.

    Raises:
      DestinationError: as constants they would not fit a saved_model.pb.
    """
    placed = graph.copy()
    if place == CONSTANTS:
        _to_constants(placed)
    elif place == VARIABLES:
        _to_variables(placed, SMALLEST_VARIABLE)
    else:
        _to_variables(placed, CONSTANT_BYTES, besides=_computed_ahead(placed))
    placed.prune()
    return placed


def _to_constants(graph: Graph) -> None:
    reads = [(node, weight) for node in graph.nodes.values()
             if node.op == "ReadVariableOp" and (weight := graph.weight(node.name)) is not None]
    size = graph.graph_def().ByteSize() + sum(weight.byte_count for _, weight in reads)
    if size > PROTO_BYTES:
        raise DestinationError(
            f"with weights='constants' the servable takes {size:,} bytes, and a saved_model.pb holds at "
            f"most {PROTO_BYTES:,}: use weights='auto', or quantize_weights with fewer bits")
    for node, weight in reads:
        del graph.nodes[names.node_of(node.input[0])]
        graph.become(node, "Const", [], dtype=weight.dtype, value=weight.value())


def _to_variables(graph: Graph, least_bytes: int, besides: Container[str] = ()) -> None:
    consts = [node for node in graph.nodes.values() if node.op == "Const" and node.name not in besides
              and _is_weight(node, least_bytes)]
    for node in consts:
        value = graph.weight(node.name)
        if value is not None:
            graph.replace_by_weight(node.name, value, constant_bytes=0)


def _is_weight(node: NodeDef, least_bytes: int) -> bool:
    """False also where a control dependency keeps the Const in a loop or branch of TensorFlow 1.x."""
    proto = attribute(node, "value").tensor
    is_number = proto.dtype != tf.string.as_datatype_enum
    return is_number and not node.input and proto.ByteSize() >= least_bytes


def _computed_ahead(graph: Graph) -> set[str]:
    """The Consts that loading reads, and those of nodes that read nothing but Consts."""
    found = graph.ancestors(graph.interface.load_roots())
    for node in graph.nodes.values():
        sources = {names.node_of(tensor) for tensor in node.input}
        if all(graph.nodes[source].op == "Const" for source in sources):
            found |= sources
    return found
