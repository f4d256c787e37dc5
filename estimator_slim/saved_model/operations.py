"""Whether the operations of a graph are known here, and how many outputs they make."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import op_def_registry

from estimator_slim.graph.functions import reachable

MOST_OUTPUTS = 1 << 20
_SHOWN = 5


def unknown_operations(graph_def: tf.compat.v1.GraphDef) -> Iterator[str]:
    """A clause, with what to do, about operations of nodes, or of functions that they call."""
    functions = {f.signature.name: f.node_def for f in graph_def.library.function}
    called = reachable(graph_def.node, graph_def.library).function
    used = {node.op for nodes in (graph_def.node, *(f.node_def for f in called)) for node in nodes}
    unknown = sorted(op for op in used - functions.keys() if op_def_registry.get(op) is None)
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        yield (f"its graph has the operations {', '.join(unknown[:_SHOWN])}{more}, which TensorFlow "
               f"{tf.__version__} does not know; import the library that defines them before optimizing "
               "(tensorflow_text, say, or tf.load_op_library). Operations of tf.contrib are gone from "
               "TensorFlow 2: export the model without them")


def too_many_outputs(nodes: Iterable[NodeDef]) -> Iterator[str]:
    """A clause about nodes that say in a few bytes that they have many outputs, each of which costs."""
    total = 0
    for node in nodes:
        total += sum(max(0, node.attr[key].i) for key in _counts(node.op) if key in node.attr)
        if total > MOST_OUTPUTS:
            yield (f"its nodes, up to {node.name!r}, have {total:,} outputs; expected at most "
                   f"{MOST_OUTPUTS:,} in all")
            return


@functools.cache
def _counts(op: str) -> tuple[str, ...]:
    """The attributes that say how many outputs a node of `op` has."""
    known = op_def_registry.get(op)
    return tuple(arg.number_attr for arg in known.output_arg if arg.number_attr) if known else ()
