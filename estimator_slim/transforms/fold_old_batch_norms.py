"""fold_old_batch_norms: old normalisation ops into the kernel before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.transforms.native import FoldingTransform


@dataclass(frozen=True)
class FoldOldBatchNorms(FoldingTransform):
    """Folds fused normalisation ops into the Conv2D before them.

        Before: x ─ Conv2D(w) ─ BatchNormWithGlobalNormalization or FusedBatchNorm ─ y
        After:  x ─ Conv2D(w') ─ BiasAdd(b') ─ y

    By the engine.
    """

    text_name: ClassVar[str] = "fold_old_batch_norms"
