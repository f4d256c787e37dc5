"""fuse_pad_and_conv, fuse_resize_and_conv, fuse_resize_pad_and_conv: one node for a chain of them.

A resize, a mirrored padding or both, and the convolution behind them, become one of TensorFlow's fused
kernels. These answer the first image of a batch and mix up the others (TensorFlow 2.15, CPU), so the
batch has to be one image by its static shape. They know no data format but NHWC and no dilations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from estimator_slim.graph import (
    Consumers,
    Graph,
    NodeDef,
    Symbols,
    attribute,
    inside_loops,
    names,
)
from estimator_slim.transforms.base import Skip, Transform

_NO_PADDINGS = np.zeros((4, 2), np.int32)


@dataclass(frozen=True)
class FusePadAndConv(Transform):
    """Does a mirrored padding while convolving, so that the padded image is never in memory.

        Before: x ─ MirrorPad ─ Conv2D ─ y
        After:  x ─ FusedPadConv2D ─ y

    Ours: the engine's fuses for any batch, and TensorFlow's kernel answers only the first image of one;
    it also loses dilations and data formats, and ends the process where a default is not spelt out.
    """

    text_name: ClassVar[str] = "fuse_pad_and_conv"
    by: ClassVar[str] = "ours"
    enters_functions: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> list[Skip]:
        return _fuse_all(graph, "MirrorPad")


@dataclass(frozen=True)
class FuseResizeAndConv(Transform):
    """Resizes while convolving, so that the resized image is never in memory.

        Before: x ─ ResizeBilinear ─ Conv2D ─ y
        After:  x ─ FusedResizeAndPadConv2D ─ y

    Ours: the engine's fuses for any batch, and TensorFlow's kernel answers only the first image of one;
    it also loses dilations and data formats, and ends the process where a default is not spelt out.
    """

    text_name: ClassVar[str] = "fuse_resize_and_conv"
    by: ClassVar[str] = "ours"
    enters_functions: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> list[Skip]:
        return _fuse_all(graph, "ResizeBilinear")


@dataclass(frozen=True)
class FuseResizePadAndConv(Transform):
    """Resizes and pads while convolving, so that neither image is ever in memory.

        Before: x ─ ResizeBilinear ─ MirrorPad ─ Conv2D ─ y
        After:  x ─ FusedResizeAndPadConv2D ─ y

    Ours: the engine's fuses for any batch, and TensorFlow's kernel answers only the first image of one;
    it also loses dilations and data formats, and ends the process where a default is not spelt out.
    """

    text_name: ClassVar[str] = "fuse_resize_pad_and_conv"
    by: ClassVar[str] = "ours"
    enters_functions: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> list[Skip]:
        return _fuse_all(graph, "MirrorPad", "ResizeBilinear")


@dataclass(frozen=True)
class _Chain:
    """What is to become one node.

    Attributes:
      convolution: a Conv2D.
      before: the nodes before it, the nearest first.
    """

    convolution: NodeDef
    before: tuple[NodeDef, ...]


def _fuse_all(graph: Graph, *ops: str) -> list[Skip]:
    """Fuses every Conv2D behind nodes of `ops`, the nearest first, that the kernels do right."""
    found = [chain for node in graph.nodes.values() if (chain := _chain(graph, node, ops))]
    if not found:
        return []
    skips = []
    consumers, symbols, looped = Consumers(graph), Symbols(graph), inside_loops(graph)
    for chain in found:
        reason = ("it stands inside a loop of TensorFlow 1.x" if chain.convolution.name in looped
                  else _obstacle(graph, chain, consumers, symbols))
        if reason:
            skips.append(Skip(chain.convolution.name, reason))
        else:
            _fuse(graph, chain)
    return skips


def _chain(graph: Graph, node: NodeDef, ops: tuple[str, ...]) -> _Chain | None:
    convolution, before = node, []
    if node.op != "Conv2D":
        return None
    for op in ops:
        node = graph.nodes[names.node_of(node.input[0])]
        if node.op != op:
            return None
        before.append(node)
    return _Chain(convolution, tuple(before))


def _obstacle(graph: Graph, chain: _Chain, consumers: Consumers, symbols: Symbols) -> str | None:
    shape = symbols.shape(chain.before[-1].input[0])
    if shape is None or shape[0] != 1:
        return ("TensorFlow's fused kernel answers only the first image of a batch, and nothing says "
                "that a batch is one image")
    if not _is_plain(chain.convolution):
        return "the fused kernel knows only float32, NHWC, paddings SAME and VALID, and no dilations"
    for node in chain.before:
        if graph.waits(node.name) or (node.op == "MirrorPad" and graph.waits(node.input[1])):
            return f"{node.name} waits for a control dependency"
        reason = consumers.obstacle(node.name) or _obstacle_in(graph, node, symbols)
        if reason:
            return reason
    return None


def _is_plain(convolution: NodeDef) -> bool:
    return (attribute(convolution, "T").type == tf.float32.as_datatype_enum
            and attribute(convolution, "data_format").s == b"NHWC"
            and attribute(convolution, "padding").s in (b"SAME", b"VALID")
            and all(d == 1 for d in attribute(convolution, "dilations").list.i))


def _obstacle_in(graph: Graph, node: NodeDef, symbols: Symbols) -> str | None:
    if node.op == "ResizeBilinear":
        if attribute(node, "half_pixel_centers").b:
            return f"{node.name} samples at half pixel centers, which the fused kernel does not"
        if symbols.dtype(node.input[0]) != tf.float32:
            return f"{node.name} resizes an image that is not float32"
        return None
    paddings = graph.constant(node.input[1])
    if paddings is None or paddings.shape != (4, 2) or paddings[[0, 3]].any():
        return f"{node.name} pads by no constant, or more than height and width"
    return None


def _fuse(graph: Graph, chain: _Chain) -> None:
    """Turns the convolution of `chain` into the fused node; it keeps its name."""
    convolution = chain.convolution
    x, kernel = chain.before[-1].input[0], convolution.input[1]
    resize = next((n for n in chain.before if n.op == "ResizeBilinear"), None)
    pad = next((n for n in chain.before if n.op == "MirrorPad"), None)
    paddings = _NO_PADDINGS if pad is None else graph.constant(pad.input[1]).astype(np.int32)
    inputs = [x, graph.add_constant(f"{convolution.name}/paddings", paddings), kernel]
    kept = {key: attribute(convolution, key) for key in ("T", "strides", "padding")}
    attrs = {key: type(value).FromString(value.SerializeToString()) for key, value in kept.items()}
    attrs["mode"] = "REFLECT" if pad is None else attribute(pad, "mode").s
    if resize is None:
        graph.become(convolution, "FusedPadConv2D", inputs, **attrs)
    else:
        graph.become(convolution, "FusedResizeAndPadConv2D", [x, resize.input[1], *inputs[1:]],
                     resize_align_corners=attribute(resize, "align_corners"), **attrs)
