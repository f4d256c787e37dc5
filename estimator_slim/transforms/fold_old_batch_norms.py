"""fold_old_batch_norms: fused normalisations into the kernel before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.affine import NORMALISATIONS
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.fold_backward import fold_backward


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

    def rewrite(self, graph: Graph) -> None:
        fold_backward(graph, NORMALISATIONS)
