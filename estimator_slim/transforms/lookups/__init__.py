"""Lookups of rows in tables, and what surrounds them."""

from estimator_slim.transforms.lookups.fusing import fuse_lookups
from estimator_slim.transforms.lookups.simplify_lookups import SimplifyLookups

__all__ = [
    "SimplifyLookups",
    "fuse_lookups",
]
