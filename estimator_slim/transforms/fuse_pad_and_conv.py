"""fuse_pad_and_conv: a mirrored padding and the convolution behind it in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.fused_convolution import chains, fuse


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

    def rewrite(self, graph: Graph) -> None:
        for chain in chains(graph, "MirrorPad"):
            fuse(graph, chain)
