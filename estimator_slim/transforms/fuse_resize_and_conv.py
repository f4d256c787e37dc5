"""fuse_resize_and_conv: a resize and the convolution behind it in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.fused_convolution import chains, fuse


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

    def rewrite(self, graph: Graph) -> None:
        for chain in chains(graph, "ResizeBilinear"):
            fuse(graph, chain)
