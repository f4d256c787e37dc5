"""Where weights are written: in `variables/` or as constants in saved_model.pb.

Up to 256 KiB a Const costs nothing and lets its neighbours be folded; beyond, it is parsed, copied into
the graph and copied again, and takes several times its size in memory, where a variable is read once.
"""

from __future__ import annotations

import tensorflow as tf

from estimator_slim.errors import DestinationError
from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph, NodeDef

AUTO, VARIABLES, CONSTANTS = PLACES = ("auto", "variables", "constants")

CONSTANT_BYTES = 1 << 18       # auto: weights up to this size are Consts
SMALLEST_VARIABLE = 1 << 10    # variables: Consts below this size stay
PROTO_BYTES = 2**31 - 1        # what a saved_model.pb can hold


def place_weights(graph: Graph, place: str) -> Graph:
    """`graph` with its weights where `place` says; `auto` leaves them where the pipeline put them.

    Raises:
      DestinationError: as constants they would not fit a saved_model.pb.
    """
    placed = graph.copy()
    if place == CONSTANTS:
        _to_constants(placed)
    elif place == VARIABLES:
        _to_variables(placed)
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


def _to_variables(graph: Graph) -> None:
    graph.constant_bytes = 0
    consts = [node for node in graph.nodes.values() if node.op == "Const" and _is_weight(node)]
    for node in consts:
        value = graph.weight(node.name)
        if value is not None:
            graph.replace_by_weight(node.name, value)


def _is_weight(node: NodeDef) -> bool:
    proto = node.attr["value"].tensor
    return proto.dtype != tf.string.as_datatype_enum and proto.ByteSize() >= SMALLEST_VARIABLE
