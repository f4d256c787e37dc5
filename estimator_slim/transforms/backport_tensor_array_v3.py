"""backport_tensor_array_v3: the tensor arrays of TensorFlow 0.x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.native import NativeTransform

_ARRAYS = ("TensorArrayV3", "TensorArrayGradV3")
_REMOVED_IN = 26  # GraphDef version from which TensorFlow refuses TensorArrayV2
_PASS_ON = ("Identity", "Enter", "Exit", "Switch", "Merge", "NextIteration")


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

    def rewrite(self, graph: Graph) -> None:
        arrays = [node.name for node in graph.nodes.values() if node.op in _ARRAYS]
        if graph.versions.producer >= _REMOVED_IN:
            for name in arrays:
                graph.skip(name, "TensorFlow takes TensorArrayV2 in graphs of a version below "
                                 f"{_REMOVED_IN}, and this one is of {graph.versions.producer}")
        elif arrays:
            super().rewrite(graph)
            for name in arrays:
                _as_string(graph, name)
                flow = graph.nodes.get(f"{name}/replacement_flow_node")
                if flow is not None:
                    flow.input.append(f"^{name}")


def _as_string(graph: Graph, handle: str) -> None:
    """Makes the nodes that pass `handle` on pass a string."""
    consumers, todo = graph.consumers(), [handle]
    while todo:
        for node, index in consumers.get(todo.pop(), ()):
            if node.op in _PASS_ON and index == 0 and node.attr["T"].type != tf.string.as_datatype_enum:
                node.attr["T"].type = tf.string.as_datatype_enum
                todo += [node.name, *([names.tensor(node.name, 1)] if node.op == "Switch" else ())]
