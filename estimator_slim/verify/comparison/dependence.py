"""Which outputs have nothing to do with floats, and so no reason to change in a lossy servable."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef

from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph
from estimator_slim.verify.answers.serving import fetched


def fixed_outputs(graph: Graph) -> frozenset[tuple[str, str]]:
    """(signature, output) for each output that no operation on floats leads to."""
    return frozenset((signature, key) for signature, definition in graph.interface.served().items()
                     for output, info in definition.outputs.items()
                     for key, tensor in fetched(output, info) if not _on_floats(graph, tensor))


def _on_floats(graph: Graph, tensor: str) -> bool:
    return any(_has_floats(graph.nodes[name]) for name in graph.ancestors({names.node_of(tensor)}))


def _has_floats(node: NodeDef) -> bool:
    """True for an operation that reads or makes floats, or may: what a function does is inside of it."""
    kinds = [kind for a in node.attr.values() for kind in (a.type, *a.list.type) if kind]
    return (any(tf.as_dtype(kind).is_floating for kind in kinds)
            or any(a.HasField("func") or a.list.func for a in node.attr.values()))
