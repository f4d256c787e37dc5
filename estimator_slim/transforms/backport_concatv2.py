"""backport_concatv2: the concatenation of TensorFlow 0.x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.transforms.default_attributes import attribute
from estimator_slim.transforms.native import NativeTransform, hidden


@dataclass(frozen=True)
class BackportConcatv2(NativeTransform):
    """Turns ConcatV2 into the older Concat, whose axis comes first.

        Before: ConcatV2(a, b, axis)
        After:  Concat(axis, a, b)

    By the engine. Mended: it takes the last input for the axis, which is a control dependency where a
    node has one, and Concat takes no int64 axis; such nodes are hidden from it and stay.
    """

    text_name: ClassVar[str] = "backport_concatv2"
    by: ClassVar[str] = "mended"
    enters_functions: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> None:
        found = [node for node in graph.nodes.values() if node.op == "ConcatV2"]
        kept = {node.name: reason for node in found if (reason := _obstacle(node))}
        for name, reason in kept.items():
            graph.skip(name, reason)
        if len(kept) < len(found):
            with hidden(graph, kept):
                super().rewrite(graph)


def _obstacle(node: NodeDef) -> str | None:
    if any(names.is_control(i) for i in node.input):
        return "it waits for a control dependency"
    if attribute(node, "Tidx").type != tf.int32.as_datatype_enum:
        return "its axis is an int64, which Concat does not take"
    return None
