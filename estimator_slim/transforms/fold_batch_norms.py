"""fold_batch_norms: the constants of a normalisation into the kernel beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.fold_forward import fold_forward
from estimator_slim.transforms.native import FoldingTransform


@dataclass(frozen=True)
class FoldBatchNorms(FoldingTransform):
    """Folds a scale (and a shift) by constants into the weights of the layer before or after it.

        Before: x ─ Conv2D(w) ─ Mul(c) ─ y                    After: x ─ Conv2D(w * c) ─ y
        Before: x ─ Mul(s) ─ Add(t) ─ MatMul(k) ─ y           After: x ─ MatMul(s * k) ─ Add(t @ k) ─ y

    Backward, into Conv2D or MatMul, by the engine. Forward, which is what DNNClassifier(batch_norm=True)
    needs, ours. Never where anything else reads what lies between.
    """

    text_name: ClassVar[str] = "fold_batch_norms"

    def rewrite(self, graph: Graph) -> None:
        super().rewrite(graph)
        fold_forward(graph)
