"""What quantize_nodes hides from the engine, which would make of it what fails or answers otherwise.

A FakeQuantWithMinMaxVars with constant bounds becomes a fixed range. Before that the engine hoists it:

    Before: x ─ Sigmoid ─ FakeQuant      (any operations of one input)
    After:  x ─ FakeQuant ─ Sigmoid

That gives the same answers only over operations that round and clip alike before and behind them.
"""

from __future__ import annotations

from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.transforms.old_control_flow import inside_branches, inside_loops

_KERNEL_FAILS = ("Add", "AddV2", "Mul", "Conv2D", "AvgPool", "MaxPool", "ResizeBilinear")
_FAKE_QUANT = "FakeQuantWithMinMaxVars"
_QUANTIZED = ("MatMul", "BiasAdd", "Relu", "Relu6", "Reshape", "Concat", _FAKE_QUANT)
_HOISTS = 3 + 2 + 1  # the most operations that it hoists one over, in its three passes
_HOISTED_OVER = ("Identity", "StopGradient", "Squeeze", "Relu", "Relu6", "MaxPool")


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
    if any(names.is_control(i) for i in node.input):
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
        inputs = [i for i in over.input if not names.is_control(i)]
        if tensor in graph.interface.fed or len(inputs) != 1:
            break
        if over.op not in _HOISTED_OVER:
            return f"the engine would put it before {over.name!r}, {over.op}, which changes answers"
        if over.name in fetched:
            return f"the engine would put it before {over.name!r}, which a signature fetches"
        tensor = names.canonical(inputs[0])
    return None
