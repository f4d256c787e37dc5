"""quantize_nodes: float operations as eight-bit ones.

The engine makes of some nodes what fails or answers otherwise; these are hidden from it
(`unquantizable`). One case needs a word. A FakeQuantWithMinMaxVars with constant bounds becomes a fixed
range, and before that the engine moves it to the front of the operations before it, whichever they are,
if they have one input:

    Before: x ─ Sigmoid ─ FakeQuant
    After:  x ─ FakeQuant ─ Sigmoid

That gives the same answers only where rounding and clipping before an operation is the same as behind
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Optional

import numpy as np
import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.graph import Graph, NodeDef, inside_branches, inside_loops, names
from estimator_slim.transforms.base import Skip
from estimator_slim.transforms.engine import NativeTransform, hidden

_LIMITS = {"Min": np.float32(0), "Max": np.float32(1e-6)}  # kernels refuse a range of one number
_MEASURES = ("Min", "Max", "RequantizationRange")
_LARGEST = 1e38  # so that the width of a range is a float32, too

_KERNEL_FAILS = ("Add", "AddV2", "Mul", "Conv2D", "AvgPool", "MaxPool", "ResizeBilinear")
_FAKE_QUANT = "FakeQuantWithMinMaxVars"
_QUANTIZED = ("MatMul", "BiasAdd", "Relu", "Relu6", "Reshape", "Concat", _FAKE_QUANT)
_HOISTS = 3 + 2 + 1  # the most operations that it hoists one over, in its three passes
_HOISTED_OVER = ("Identity", "StopGradient", "Squeeze", "Relu", "Relu6", "MaxPool")


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
    - Hidden, too, is what it breaks or moves to where it changes answers, see `unquantizable`.

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

    def rewrite(self, graph: Graph) -> list[Skip]:
        before, hide = set(graph.nodes), unquantizable(graph)
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
        return [Skip(name, reason) for name, reason in hide.items()]

    def engine_text(self) -> str:
        told = super(QuantizeNodes, replace(self, input_min=None, input_max=None)).engine_text()
        return f"add_default_attributes {told} add_default_attributes"


def unquantizable(graph: Graph) -> dict[str, str]:
    """Node → why the engine must not see it, for each that it has a rule for."""
    inside = inside_loops(graph) | inside_branches(graph)
    fetched = {names.node_of(tensor) for tensor in graph.interface.outputs()}
    return {name: reason for name, node in sorted(graph.nodes.items())
            if (reason := _obstacle(graph, node, name in inside, fetched))}


def _obstacle(graph: Graph, node: NodeDef, is_inside: bool, fetched: set[str]) -> str | None:
    if node.op in _KERNEL_FAILS:
        return "TensorFlow's quantized kernel for it fails"
    if node.op not in _QUANTIZED:
        return None
    if is_inside:
        return "it stands in a loop or branch of TensorFlow 1.x"
    if names.control_inputs(node):
        return "it waits for a control dependency"
    if node.op == _FAKE_QUANT:
        return _range_obstacle(graph, node) or _hoisting_obstacle(graph, node, fetched)
    if len(set(node.input)) < len(node.input):
        return "it reads one tensor twice"
    return _axis_obstacle(graph, node) if node.op == "Concat" else None


def _axis_obstacle(graph: Graph, concat: NodeDef) -> str | None:
    axis = graph.constant(concat.input[0])
    if axis is None or axis < 0:
        return "its axis is negative or not constant, which QuantizedConcat does not take"
    return None


def _range_obstacle(graph: Graph, fake: NodeDef) -> str | None:
    low, high = (graph.constant(bound) for bound in fake.input[1:])
    if low is not None and high is not None and not low <= 0 <= high > low:
        return f"its range, {low} to {high}, does not include 0, which Requantize needs"
    return None


def _hoisting_obstacle(graph: Graph, fake: NodeDef, fetched: set[str]) -> str | None:
    tensor = names.canonical(fake.input[0])
    for _ in range(_HOISTS):
        over = graph.nodes[names.node_of(tensor)]
        inputs = names.data_inputs(over)
        if tensor in graph.interface.fed or len(inputs) != 1:
            break
        if over.op not in _HOISTED_OVER:
            return f"the engine would put it before {over.name!r}, {over.op}, which changes answers"
        if over.name in fetched:
            return f"the engine would put it before {over.name!r}, which a signature fetches"
        tensor = names.canonical(inputs[0])
    return None


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
    """Makes every consumer of a measured bound read `minimum(·, 0)` or `maximum(·, 1e-6)` instead."""
    ports = ("Min", "Max") if measure.op == "RequantizationRange" else (measure.op,)
    bounds = {}
    for port, bound in enumerate(ports):
        limit = graph.add_constant(f"{measure.name}/{bound.lower()}imum/limit", _LIMITS[bound])
        bounds[names.tensor(measure.name, port)] = graph.add(
            f"{bound}imum", f"{measure.name}/{bound.lower()}imum", [limit, limit], T=tf.float32)
    graph.redirect(bounds)
    for tensor, name in bounds.items():
        graph.nodes[name].input[0] = tensor
