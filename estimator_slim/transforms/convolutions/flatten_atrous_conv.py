"""flatten_atrous_conv: a dilated convolution without the reordering of the image around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from estimator_slim.graph import (
    Consumers,
    Graph,
    NodeDef,
    Symbols,
    attribute,
    attributes,
    inside_loops,
    names,
)
from estimator_slim.transforms.base import Skip, Transform

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


@dataclass(frozen=True)
class _Chain:
    """SpaceToBatchND, a convolution and BatchToSpaceND."""

    scatter: NodeDef
    convolution: NodeDef
    gather: NodeDef


@dataclass(frozen=True)
class FlattenAtrousConv(Transform):
    """Convolves the image itself, where the kernel went over its rows and columns taken apart.

        Before: x ─ SpaceToBatchND(2) ─ Conv2D(w) ─ BatchToSpaceND(2) ─ y
        After:  x ─ Conv2D(w, dilations=2) ─ y;  a depthwise kernel is filled up with zeros instead

    Only where height and width of the image are known: else paddings and crops depend on the request.

    Ours: the engine's takes the paddings for those of SAME whatever they are, reads the wrong output of
    what comes before, changes the kernel of other convolutions that share it, fails where a kernel is no
    constant, and ends the process where a default is not spelt out.
    """

    text_name: ClassVar[str] = "flatten_atrous_conv"
    by: ClassVar[str] = "ours"
    enters_functions: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> list[Skip]:
        found = [chain for node in graph.nodes.values() if (chain := _chain(graph, node))]
        if not found:
            return []
        skips = []
        consumers, symbols, looped = Consumers(graph), Symbols(graph), inside_loops(graph)
        for chain in found:
            reason = ("it stands inside a loop of TensorFlow 1.x" if chain.gather.name in looped
                      else _obstacle(graph, chain, consumers))
            grid = None if reason else _grid(graph, chain, symbols)
            if grid is None:
                skips.append(Skip(chain.gather.name,
                                  reason or "its paddings and crops depend on the request"))
            else:
                _flatten(graph, chain, *grid)
        return skips


def _chain(graph: Graph, gather: NodeDef) -> _Chain | None:
    if gather.op != "BatchToSpaceND":
        return None
    convolution = graph.nodes[names.node_of(gather.input[0])]
    if convolution.op not in _CONVOLUTIONS:
        return None
    scatter = graph.nodes[names.node_of(convolution.input[0])]
    return _Chain(scatter, convolution, gather) if scatter.op == "SpaceToBatchND" else None


def _obstacle(graph: Graph, chain: _Chain, consumers: Consumers) -> str | None:
    convolution = chain.convolution
    is_plain = (attribute(convolution, "data_format").s == b"NHWC"
                and attribute(convolution, "padding").s == b"VALID"
                and all(n == 1 for key in ("strides", "dilations")
                        for n in attribute(convolution, key).list.i))
    if not is_plain:
        return "between the two is no plain convolution: NHWC, padding VALID, strides and dilations of 1"
    if any(graph.waits(tensor) for tensor in (
            chain.gather.input[0], *chain.gather.input[1:3], *convolution.input[:2],
            *chain.scatter.input[1:3])):
        return "a node of it waits for a control dependency"
    if convolution.op == "DepthwiseConv2dNative" and graph.weight(convolution.input[1]) is None:
        return f"the kernel of {convolution.name} is no constant"
    return consumers.obstacle(convolution.name) or consumers.obstacle(chain.scatter.name)


def _grid(graph: Graph, chain: _Chain, symbols: Symbols) -> tuple[list[int], list[int]] | None:
    """The dilations [2] and the paddings [4] of the image; None if they are not known, or are none."""
    values = [graph.constant(i) for i in (*chain.scatter.input[1:3], *chain.gather.input[1:3])]
    image = symbols.shape(chain.scatter.input[0])
    if image is None or len(image) != 4 or any(v is None for v in values):
        return None
    missing = 2 - len(values[0])
    block, again = (np.pad(v, (0, missing), constant_values=1) for v in values[::2])
    paddings, crops = (np.pad(v, ((0, missing), (0, 0))) for v in values[1::2])
    left_over = paddings - crops
    if (block != again).any() or (left_over < 0).any():
        return None
    for size, rate, around in zip(image[1:3], block, paddings.sum(axis=1)):
        if not isinstance(size, int) or (size + around) % rate:
            return None
    return [int(b) for b in block], [int(p) for p in left_over.reshape(-1)]


def _flatten(graph: Graph, chain: _Chain, rates: list[int], paddings: list[int]) -> None:
    convolution, kernel = chain.convolution, chain.convolution.input[1]
    dilations = [1, *rates, 1]
    if convolution.op == "DepthwiseConv2dNative":  # its CPU kernel may know no dilations
        kernel = graph.add_constant(f"{convolution.name}/dilated", _dilated(graph, kernel, rates))
        dilations = [1, 1, 1, 1]
    graph.become(chain.gather, convolution.op, [chain.scatter.input[0], kernel],
                 T=attributes.dtype(convolution, "T"), strides=[1, 1, 1, 1],
                 dilations=dilations, **_padding(paddings))


def _padding(paddings: list[int]) -> dict:
    if not any(paddings):
        return {"padding": "VALID"}
    return {"padding": "EXPLICIT", "explicit_paddings": [0, 0, *paddings, 0, 0]}


def _dilated(graph: Graph, kernel: str, rates: list[int]) -> np.ndarray:
    """The kernel with `rates` - 1 rows and columns of zeros between its own."""
    weight = graph.weight(kernel)
    assert weight is not None  # _obstacle asked
    value = weight.value()
    height, width = ((n - 1) * rate + 1 for n, rate in zip(value.shape, rates))
    result = np.zeros((height, width, *value.shape[2:]), value.dtype)
    result[::rates[0], ::rates[1]] = value
    return result
