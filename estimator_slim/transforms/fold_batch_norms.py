"""fold_batch_norms: a scale into the kernel before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.transforms.native import NativeTransform


@dataclass(frozen=True)
class FoldBatchNorms(NativeTransform):
    """Folds a multiplication by constants into the weights of the Conv2D or MatMul before it.

        Before: x ─ Conv2D(w) ─ Mul(c) ─ y
        After:  x ─ Conv2D(w * c) ─ y

    By the engine; the weights have to be small enough to be Consts.
    """

    text_name: ClassVar[str] = "fold_batch_norms"
