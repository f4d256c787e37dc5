"""fold_batch_norms, fold_old_batch_norms: the constants of a normalisation into the kernel beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph import Graph
from estimator_slim.transforms.base import Skip, Transform
from estimator_slim.transforms.normalisations._affine import NORMALISATIONS
from estimator_slim.transforms.normalisations._backward import fold_backward
from estimator_slim.transforms.normalisations._forward import fold_forward


@dataclass(frozen=True)
class FoldBatchNorms(Transform):
    """Folds a scale and a shift by constants into the weights of the layer before or after it.

        Before: x ─ Conv2D(w) ─ BiasAdd(b) ─ FusedBatchNormV3 ─ y
        After:  x ─ Conv2D(w * s) ─ BiasAdd(b * s + t) ─ y
        Before: x ─ Mul(s) ─ Add(t) ─ MatMul(k) ─ y
        After:  x ─ MatMul(s * k) ─ BiasAdd(t @ k) ─ y

    The layer is a Conv2D, Conv3D, DepthwiseConv2dNative or MatMul; the normalisation is a fused
    operation or any row of multiplications and additions. Never where anything else reads what lies
    between, or the kernel. The constants are multiplied in float64 and rounded once.
    """

    text_name: ClassVar[str] = "fold_batch_norms"
    by: ClassVar[str] = "ours"

    def rewrite(self, graph: Graph) -> list[Skip]:
        skips = fold_backward(graph)
        graph.prune()
        folded, left_alone = fold_forward(graph)
        skips += left_alone
        if folded:
            skips += fold_backward(graph)
        graph.prune()
        return [skip for skip in dict.fromkeys(skips) if skip.node in graph.nodes]


@dataclass(frozen=True)
class FoldOldBatchNorms(Transform):
    """Folds normalisations that are one operation into the layer before them.

        Before: x ─ Conv2D(w) ─ BatchNormWithGlobalNormalization or FusedBatchNorm ─ y
        After:  x ─ Conv2D(w * s) ─ BiasAdd(t) ─ y

    As `fold_batch_norms` does, which includes it. The engine's knows nothing newer than FusedBatchNorm
    and scales a kernel that another layer reads, too.
    """

    text_name: ClassVar[str] = "fold_old_batch_norms"
    by: ClassVar[str] = "ours"

    def rewrite(self, graph: Graph) -> list[Skip]:
        return fold_backward(graph, NORMALISATIONS)
