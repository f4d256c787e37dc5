"""backport_concatv2, backport_tensor_array_v3: concatenations and tensor arrays as of TensorFlow 0.x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from estimator_slim.graph import Consumers, Graph, NodeDef, attribute, attributes, names
from estimator_slim.transforms.base import Skip
from estimator_slim.transforms.engine import NativeTransform, hidden

_ARRAYS = ("TensorArrayV3", "TensorArrayGradV3")
_REMOVED_IN = 26  # GraphDef version from which TensorFlow refuses TensorArrayV2
_PASS_ON = ("Identity", "Enter", "Exit", "Switch", "Merge", "NextIteration")


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

    def rewrite(self, graph: Graph) -> list[Skip]:
        found = [node for node in graph.nodes.values() if node.op == "ConcatV2"]
        kept = {node.name: reason for node in found if (reason := _obstacle(node))}
        if len(kept) < len(found):
            with hidden(graph, kept):
                super().rewrite(graph)
        return [Skip(name, reason) for name, reason in kept.items()]


@dataclass(frozen=True)
class BackportTensorArrayV3(NativeTransform):
    """Turns the operations of TensorArrayV3 into those of TensorArrayV2, which makes no flow.

        Before: TensorArrayV3 ─ handle, flow ─ TensorArrayWriteV3
        After:  TensorArrayV2 ─ handle, Const ─ TensorArrayWriteV2

    Only in graphs of a version below 26 (TensorFlow 1.4 and before): TensorFlow loads no TensorArrayV2
    in later ones, and they are left alone.

    By the engine. Mended: handles become strings, and what passes them into loops has to say so; the
    constant that takes the flow's place goes into the loop that the array is made in.
    """

    text_name: ClassVar[str] = "backport_tensor_array_v3"
    by: ClassVar[str] = "mended"

    def rewrite(self, graph: Graph) -> list[Skip]:
        arrays = [node.name for node in graph.nodes.values() if node.op in _ARRAYS]
        if graph.versions.producer >= _REMOVED_IN:
            return [Skip(name, "TensorFlow takes TensorArrayV2 in graphs of a version below "
                         f"{_REMOVED_IN}, and this one is of {graph.versions.producer}")
                    for name in arrays]
        if arrays:
            super().rewrite(graph)
            for name in arrays:
                _as_string(graph, name)
                flow = graph.nodes.get(f"{name}/replacement_flow_node")
                if flow is not None:
                    flow.input.append(f"^{name}")
        return []


def _obstacle(node: NodeDef) -> str | None:
    if names.control_inputs(node):
        return "it waits for a control dependency"
    if attribute(node, "Tidx").type != tf.int32.as_datatype_enum:
        return "its axis is an int64, which Concat does not take"
    return None


def _as_string(graph: Graph, handle: str) -> None:
    """Makes the nodes that pass `handle` on pass a string."""
    consumers, todo = Consumers(graph), [handle]
    while todo:
        for node, index in consumers.of(todo.pop()):
            if node.op in _PASS_ON and index == 0 and attributes.dtype(node, "T") != tf.string:
                attributes.put(node, "T", tf.string)
                todo += [node.name, *([names.tensor(node.name, 1)] if node.op == "Switch" else ())]
