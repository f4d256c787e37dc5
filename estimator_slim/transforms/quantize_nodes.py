"""quantize_nodes: float operations as eight-bit ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

import numpy as np
import tensorflow as tf

from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.transforms.native import NativeTransform, hidden
from estimator_slim.transforms.old_control_flow import inside_branches, inside_loops

_NOT_QUANTIZED = ("Add", "AddV2", "Mul", "Conv2D", "AvgPool", "MaxPool", "ResizeBilinear")
_QUANTIZED = ("MatMul", "BiasAdd", "Relu", "Relu6", "Reshape", "Concat", "ConcatV2")
_LIMITS = {"Min": np.float32(0), "Max": np.float32(1e-6)}  # kernels refuse a range of one number
_MEASURES = ("Min", "Max", "RequantizationRange")


@dataclass(frozen=True)
class QuantizeNodes(NativeTransform):
    """Replaces float operations by eight-bit ones that measure the range of what they are given.

        Before: x ─ MatMul(w) ─ Relu ─ y
        After:  x ─ Quantize ─ QuantizedMatMul ─ Requantize ─ QuantizedRelu ─ Dequantize ─ y

    By the engine: MatMul, BiasAdd, Relu, Relu6, Reshape and concatenations. Answers change by about one
    part in a hundred, more where one large value sets the range for a whole batch. Mended around it:

    - It needs every attribute spelt out, and exports leave out those at their default.
    - Its constants wait for what they are used on. Where that is what a signature feeds, a request ran
      what stands behind the fed tensor: these edges go.
    - It measures each range afresh, and the range of an empty batch is from infinity to minus infinity,
      which no quantized kernel takes: every range is made to include 0 and a millionth.
    - Hidden from it, because TensorFlow's quantized kernels fail on them: Mul and Add (nonsense for
      [n, m] with [n, 1]), convolutions and pools (an empty batch aborts the process), and what stands
      inside old control flow (constants in the wrong frame).
    - Hidden, too: a FakeQuant right behind a variable, which it would put on the variable's handle.

    Attributes:
      input_min: with `input_max`, the range that fed placeholders are quantized to.
      fallback_min: with `fallback_max`, the range to use instead of measuring one.
    """

    text_name: ClassVar[str] = "quantize_nodes"
    by: ClassVar[str] = "mended"
    lossy: ClassVar[bool] = True
    input_min: Optional[float] = None  # noqa: UP045
    input_max: Optional[float] = None  # noqa: UP045
    fallback_min: Optional[float] = None  # noqa: UP045
    fallback_max: Optional[float] = None  # noqa: UP045

    def rewrite(self, graph: Graph) -> None:
        before = set(graph.nodes)
        inside = inside_loops(graph) | inside_branches(graph)
        hide = {name for name, node in graph.nodes.items()
                if node.op in _NOT_QUANTIZED or (node.op in _QUANTIZED and name in inside)}
        for name in sorted(hide):
            graph.skip(name, "TensorFlow's quantized kernel for it fails")
        with hidden(graph, hide.union(_of_variables(graph))):
            super().rewrite(graph)
        added = [node for name, node in graph.nodes.items() if name not in before]
        for node in added:
            if node.op == "Const":
                del node.input[:]
            elif node.op in _MEASURES:
                _include_zero(graph, node)

    def engine_text(self) -> str:
        return f"add_default_attributes {super().engine_text()} add_default_attributes"


def _of_variables(graph: Graph) -> set[str]:
    return {name for name, node in graph.nodes.items()
            if node.op.startswith("FakeQuant") and graph.producer(node.input[0]).op == "ReadVariableOp"}


def _include_zero(graph: Graph, measure: NodeDef) -> None:
    """Makes every reader of a measured bound read `minimum(·, 0)` or `maximum(·, 1e-6)` instead."""
    ports = ("Min", "Max") if measure.op == "RequantizationRange" else (measure.op,)
    bounds = {}
    for port, bound in enumerate(ports):
        limit = graph.add_constant(f"{measure.name}/{bound.lower()}imum/limit", _LIMITS[bound])
        bounds[names.tensor(measure.name, port)] = graph.add(
            f"{bound}imum", f"{measure.name}/{bound.lower()}imum", [limit, limit], T=tf.float32)
    graph.redirect(bounds)
    for tensor, name in bounds.items():
        graph.nodes[name].input[0] = tensor
