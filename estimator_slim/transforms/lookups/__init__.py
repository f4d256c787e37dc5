"""Lookups of rows in tables: what surrounds them, and the rows that they never need."""

from estimator_slim.transforms.lookups.fusing import fuse_lookups
from estimator_slim.transforms.lookups.simplify_lookups import SimplifyLookups
from estimator_slim.transforms.lookups.sparsify_gather import SparsifyGather

__all__ = [
    "SimplifyLookups",
    "SparsifyGather",
    "fuse_lookups",
]
