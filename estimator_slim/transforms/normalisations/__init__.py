"""Normalisations folded into the layers beside them."""

from estimator_slim.transforms.normalisations.fold_batch_norms import FoldBatchNorms, FoldOldBatchNorms

__all__ = [
    "FoldBatchNorms",
    "FoldOldBatchNorms",
]
