"""The last step of every optimization: a lookup reads its rows from the variable itself."""

from __future__ import annotations

import tensorflow as tf

from estimator_slim.graph import Graph, attributes, gathers_rows

_IDS = (tf.int32, tf.int64)  # what ResourceGather takes; GatherV2 takes int16, too


def fuse_lookups(graph: Graph) -> Graph:
    """`graph` with two operations less for each table that is a variable.

        Before: VarHandleOp ─ ReadVariableOp ─ GatherV2(ids, axis 0)
        After:  VarHandleOp ─ ResourceGather(ids)
    """
    fused = graph.copy()
    for node in list(fused.nodes.values()):
        if node.op not in ("GatherV2", "Gather") or not gathers_rows(fused, node):
            continue
        read, ids = fused.producer(node.input[0]), attributes.dtype(node, "Tindices")
        if read.op == "ReadVariableOp" and len(read.input) == 1 and ids in _IDS:
            fused.become(node, "ResourceGather", [read.input[0], node.input[1]],
                         dtype=attributes.dtype(read, "dtype"), batch_dims=0, Tindices=ids,
                         validate_indices=True)
    fused.prune()
    return fused
