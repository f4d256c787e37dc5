"""quantize_nodes: float operations as eight-bit ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Optional

import numpy as np
import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.transforms.native import NativeTransform, hidden
from estimator_slim.transforms.quantizable import unquantizable

_LIMITS = {"Min": np.float32(0), "Max": np.float32(1e-6)}  # kernels refuse a range of one number
_MEASURES = ("Min", "Max", "RequantizationRange")
_LARGEST = 1e38  # so that the width of a range is a float32, too


@dataclass(frozen=True)
class QuantizeNodes(NativeTransform):
    """Replaces float operations by eight-bit ones that measure the range of what they are given.

        Before: x ─ MatMul(w) ─ Relu ─ y
        After:  x ─ Quantize ─ QuantizedMatMul ─ Requantize ─ QuantizedRelu ─ Dequantize ─ y

    By the engine: MatMul, BiasAdd, Relu, Relu6, Reshape and Concat (which backport_concatv2 makes of
    ConcatV2). Answers change by about one part in a hundred, more where one large value sets the range
    for a whole batch. Mended around it:

    - It needs every attribute spelt out, and exports leave out those at their default.
    - Its constants wait for what they are used on. Where that is what a signature feeds, a request ran
      what stands behind the fed tensor: these edges go.
    - It measures each range afresh, and the range of an empty batch is from infinity to minus infinity,
      which no quantized kernel takes: every range is made to include 0 and a millionth.
    - It makes what a signature feeds eight-bit for `input_min` and `input_max`. A signature keeps its
      dtypes: here the fed floats are quantized to that range, where the engine measured theirs.
    - Hidden from it, because TensorFlow's quantized kernels fail on them: Mul and Add (nonsense for
      [n, m] with [n, 1]), convolutions and pools (an empty batch aborts the process), and what stands
      inside old control flow (constants in the wrong frame).
    - Hidden, too, is what it breaks or moves to where it changes answers, see `quantizable.py`.

    Attributes:
      input_min: with `input_max`, the range that fed floats are quantized to; it includes 0, as all
        quantized ranges do. What is outside is clipped, and verification, which also asks large numbers,
        then needs max_error=1.
      fallback_min: with `fallback_max`, the range to use instead of measuring one.
    """

    text_name: ClassVar[str] = "quantize_nodes"
    by: ClassVar[str] = "mended"
    lossy: ClassVar[bool] = True
    input_min: Optional[float] = None  # noqa: UP045
    input_max: Optional[float] = None  # noqa: UP045
    fallback_min: Optional[float] = None  # noqa: UP045
    fallback_max: Optional[float] = None  # noqa: UP045

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_range("input", self.input_min, self.input_max)
        _check_range("fallback", self.fallback_min, self.fallback_max)

    def rewrite(self, graph: Graph) -> None:
        before, hide = set(graph.nodes), unquantizable(graph)
        for name, reason in hide.items():
            graph.skip(name, reason)
        with hidden(graph, hide):
            super().rewrite(graph)
        for node in [node for name, node in graph.nodes.items() if name not in before]:
            if node.op == "Const":
                del node.input[:]
            elif self.input_min is not None and _measures_fed(graph, node):
                bound = self.input_min if node.op == "Min" else self.input_max
                graph.become(node, "Const", (), dtype=tf.float32, value=np.float32(bound))
            elif node.op in _MEASURES:
                _include_zero(graph, node)

    def engine_text(self) -> str:
        told = super(QuantizeNodes, replace(self, input_min=None, input_max=None)).engine_text()
        return f"add_default_attributes {told} add_default_attributes"


def _check_range(which: str, low: float | None, high: float | None) -> None:
    if low is None and high is None:
        return
    if low is None or high is None or not -_LARGEST <= low <= 0 <= high <= _LARGEST or low == high:
        raise OptionError(f"quantize_nodes({which}_min=..., {which}_max=...) takes both ends of a range "
                          f"that includes 0, up to {_LARGEST:g}; got {low} and {high}")


def _measures_fed(graph: Graph, measure: NodeDef) -> bool:
    """True if `measure` is the Min or Max of what a signature feeds, which the engine flattens first."""
    if measure.op not in ("Min", "Max"):
        return False
    flat = graph.nodes[names.node_of(measure.input[0])]
    return graph.source(flat.input[0]) in graph.interface.fed


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
