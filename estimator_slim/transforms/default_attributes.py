"""Attributes of nodes, with those that exports leave out because they are at their default."""

from __future__ import annotations

from tensorflow.core.framework import attr_value_pb2
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import op_def_registry


def attribute(node: NodeDef, key: str) -> attr_value_pb2.AttrValue:
    """Attribute `key` of `node`, or its registered default where the node does not spell it out.

    `node.attr[key]` would add an empty one: false, where the default of `is_training` is true.
    """
    if key in node.attr:
        return node.attr[key]
    return next(a.default_value for a in op_def_registry.get(node.op).attr if a.name == key)
