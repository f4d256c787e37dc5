"""Convolutions joined with what stands before and behind them."""

from estimator_slim.transforms.convolutions.flatten_atrous_conv import FlattenAtrousConv
from estimator_slim.transforms.convolutions.fuse_convolutions import (
    FusePadAndConv,
    FuseResizeAndConv,
    FuseResizePadAndConv,
)

__all__ = [
    "FlattenAtrousConv",
    "FusePadAndConv",
    "FuseResizeAndConv",
    "FuseResizePadAndConv",
]
