"""quantize_nodes: float operations as eight-bit ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

import numpy as np
import tensorflow as tf

from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.graph.symbolic import Symbols
from estimator_slim.transforms.native import NativeTransform, hidden

_BOUNDS = {"Min": "Minimum", "Max": "Maximum"}


@dataclass(frozen=True)
class QuantizeNodes(NativeTransform):
    """Replaces float operations by eight-bit ones that measure the range of what they are given.

        Before: x ─ MatMul(w) ─ Relu ─ y
        After:  x ─ Quantize ─ QuantizedMatMul ─ Requantize ─ QuantizedRelu ─ Dequantize ─ y

    By the engine, which needs every attribute spelt out and exports leave out those at their default,
    so they are put back first. It measures each range afresh, and of an empty batch that would be from
    infinity to minus infinity, which QuantizeV2 refuses: every range is made to include zero. Answers change by about one part in a hundred.

    Attributes:
      input_min: with `input_max`, the range that fed placeholders are quantized to.
      fallback_min: with `fallback_max`, the range to use instead of measuring one.
    """

    text_name: ClassVar[str] = "quantize_nodes"
    lossy: ClassVar[bool] = True
    input_min: Optional[float] = None  # noqa: UP045
    input_max: Optional[float] = None  # noqa: UP045
    fallback_min: Optional[float] = None  # noqa: UP045
    fallback_max: Optional[float] = None  # noqa: UP045

    def rewrite(self, graph: Graph) -> None:
        before = set(graph.nodes)
        with hidden(graph, _wrongly_broadcast(graph)):
            super().rewrite(graph)
        for node in [n for n in graph.nodes.values() if n.op in _BOUNDS and n.name not in before]:
            _include_zero(graph, node)

    def engine_text(self) -> str:
        return "add_default_attributes " + super().engine_text()


def _wrongly_broadcast(graph: Graph) -> list[str]:
    """The multiplications and additions that are not certain to be of equal shapes or by a vector.

    QuantizedMul and QuantizedAdd take [n, m] with [n, 1] and answer nonsense.
    """
    symbols = Symbols(graph)
    found = []
    for node in graph.nodes.values():
        if node.op in ("Add", "Mul") and len(node.input) == 2:
            left, right = (symbols.shape(i) for i in node.input)
            by_last_axis = left is not None and right is not None and (
                left == right or len(right) == 0 or len(left) == 0
                or right == left[-1:] or left == right[-1:])
            if not by_last_axis:
                graph.skip(node.name, "its inputs may have other shapes than the quantized op takes")
                found.append(node.name)
    return found


def _include_zero(graph: Graph, bound: NodeDef) -> None:
    """Puts `minimum(·, 0)` or `maximum(·, 0)` behind a measured bound, under its name."""
    measured = NodeDef()
    measured.CopyFrom(bound)
    measured.name = graph.unique(f"{bound.name}/measured")
    graph.nodes[measured.name] = measured
    zero = graph.add_constant(f"{bound.name}/zero", np.float32(0))
    graph.become(bound, _BOUNDS[bound.op], [measured.name, zero], T=tf.float32)
