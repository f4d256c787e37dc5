"""A graph that TensorFlow looks at without executing any of it.

Importing a graph executes what is constant where a shape depends on it: a ReadFile waits for a pipe, a
StringJoin of StringJoins fills the memory. A node that asks for a kernel which does not exist is left
alone; so every node asks for one while the graph is imported (`hold`), and not afterwards (`release`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef

from estimator_slim.graph import _attributes as attributes
from estimator_slim.graph import _operations as operations

_LABEL, _OWN_LABEL = "_kernel", "_kernel_of_its_own"
_NONE = b"none: not executed ahead of requests"
_MOST_KEPT = 1 << 20  # bytes of a graph that is kept for who asks next
_HELD = re.compile(f'{_LABEL}="{_NONE.decode()}"(, )?')


def hold(nodes: Iterable[NodeDef]) -> None:
    """Lets TensorFlow find no kernel for `nodes`; Consts stay values."""
    for node in nodes:
        if node.op != "Const":
            if _LABEL in node.attr:
                attributes.put(node, _OWN_LABEL, operations.attribute(node, _LABEL))
            attributes.put(node, _LABEL, _NONE)


def release(nodes: Iterable[NodeDef]) -> None:
    """Undoes `hold`, on the same nodes or on copies of them."""
    for node in nodes:
        if operations.attribute(node, _LABEL).s == _NONE:
            if _OWN_LABEL in node.attr:
                attributes.put(node, _LABEL, operations.attribute(node, _OWN_LABEL))
                node.attr.pop(_OWN_LABEL)
            else:
                node.attr.pop(_LABEL)


def drop_recorded_shapes(graph_def: tf.compat.v1.GraphDef) -> None:
    """Drops the shapes that a graph's writer recorded in it (`_output_shapes`).

    Where this TensorFlow infers others, its importer in Python refuses the graph; a server does not look
    at them.
    """
    for node in graph_def.node:
        node.attr.pop("_output_shapes", None)


def imported(graph_def: tf.compat.v1.GraphDef) -> tf.Graph:
    """The graph as TensorFlow understands it, with the shapes that follow without executing anything.

    `graph_def` stays as it is. The result is only to be read: who asks next about the same graph, as a
    transform does after the last one was checked, is given the same one.

    Raises:
      ValueError: TensorFlow does not accept it, in its words.
    """
    if graph_def.ByteSize() > _MOST_KEPT:
        return _imported(graph_def)
    return _kept(graph_def.SerializeToString(deterministic=True))


@functools.lru_cache(maxsize=1)
def _kept(serialized: bytes) -> tf.Graph:
    return _imported(tf.compat.v1.GraphDef.FromString(serialized))


def _imported(graph_def: tf.compat.v1.GraphDef) -> tf.Graph:
    held = tf.compat.v1.GraphDef()
    held.CopyFrom(graph_def)  # the import spells out defaults in what it is given
    drop_recorded_shapes(held)
    hold(held.node)
    try:
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(held, name="")
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as e:
        raise ValueError(_HELD.sub("", str(e))) from e
    return graph
