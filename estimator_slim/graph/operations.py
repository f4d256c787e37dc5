"""Whether TensorFlow knows the operation of a node, and that operation the node's attributes.

Attributes of nodes, with those that exports leave out because they are at their default.
"""

from __future__ import annotations

from collections.abc import Iterable

from tensorflow.core.framework import attr_value_pb2
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import op_def_registry

from estimator_slim.errors import TransformError


def require_registered(nodes: Iterable[NodeDef], advice: str) -> None:
    """Checks nodes whose operation or attributes were edited.

    Raises:
      TransformError: naming the node and what is wrong with it, followed by `advice`.
    """
    for node in nodes:
        op = op_def_registry.get(node.op)
        if op is None:
            raise TransformError(f"the node {node.name!r} would be of the operation {node.op!r}, which "
                                 f"TensorFlow does not know; {advice}")
        for key in node.attr:
            if not key.startswith("_") and all(a.name != key for a in op.attr):
                raise TransformError(f"the node {node.name!r} would have the attribute {key!r}, which "
                                     f"{node.op} does not know; {advice}")
        for attr in op.attr:
            if attr.name not in node.attr and not attr.HasField("default_value"):
                raise TransformError(f"the node {node.name!r} would lack the attribute {attr.name!r}, "
                                     f"which {node.op} needs; {advice}")


def attribute(node: NodeDef, key: str) -> attr_value_pb2.AttrValue:
    """Attribute `key` of `node`, or its registered default where the node does not spell it out.

    `node.attr[key]` would add an empty one: false, where the default of `is_training` is true.
    """
    if key in node.attr:
        return node.attr[key]
    return next(a.default_value for a in op_def_registry.get(node.op).attr if a.name == key)
