"""Every transform there is, in one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Union

from estimator_slim.errors import OptionError
from estimator_slim.transforms.base import Skip, Told, Transform, treatment_of
from estimator_slim.transforms.bounds import INFINITIES, LOSSLESS, NANS, Bounds
from estimator_slim.transforms.convolutions import (
    FlattenAtrousConv,
    FusePadAndConv,
    FuseResizeAndConv,
    FuseResizePadAndConv,
)
from estimator_slim.transforms.eight_bits import FreezeRequantizationRanges, QuantizeNodes
from estimator_slim.transforms.lookups import SimplifyLookups, fuse_lookups
from estimator_slim.transforms.nodes import (
    AddDefaultAttributes,
    BackportConcatv2,
    BackportTensorArrayV3,
    FoldConstants,
    InlinePartitionedcall,
    InsertLogging,
    MergeDuplicateNodes,
    ObfuscateNames,
    RemoveAttribute,
    RemoveControlDependencies,
    RemoveDevice,
    RemoveNodes,
    RenameAttribute,
    RenameNode,
    RenameOp,
    SetDevice,
    SortByExecutionOrder,
    StripUnusedNodes,
)
from estimator_slim.transforms.normalisations import FoldBatchNorms, FoldOldBatchNorms
from estimator_slim.transforms.pipeline import allowed_by, run_transforms
from estimator_slim.transforms.rows import (
    DropUntrainedRows,
    MergeIdenticalRows,
    SparsifyGather,
    kept_ids,
    send_to_first_row,
)
from estimator_slim.transforms.text import parse
from estimator_slim.transforms.weights import (
    CHOICES,
    QuantizeWeights,
    ReduceRank,
    RoundWeights,
    place_weights,
    with_choices,
)

__all__ = [
    "Bounds",
    "CHOICES",
    "DropUntrainedRows",
    "INFINITIES",
    "LOSSLESS",
    "NANS",
    "QuantizeWeights",
    "ReduceRank",
    "Skip",
    "TRANSFORMS",
    "Told",
    "Transform",
    "TransformList",
    "allowed_by",
    "fuse_lookups",
    "kept_ids",
    "place_weights",
    "run_transforms",
    "send_to_first_row",
    "transform_list",
    "treatment_of",
    "with_choices",
]

TransformList = Union[str, Sequence[Union[str, Transform]]]

TRANSFORMS: dict[str, type[Transform]] = {kind.text_name: kind for kind in (
    StripUnusedNodes,
    RemoveNodes,
    InlinePartitionedcall,
    FoldConstants,
    FoldBatchNorms,
    FoldOldBatchNorms,
    SimplifyLookups,
    MergeDuplicateNodes,
    DropUntrainedRows,
    MergeIdenticalRows,
    ReduceRank,
    QuantizeWeights,
    SparsifyGather,
    RoundWeights,
    QuantizeNodes,
    InsertLogging,
    FreezeRequantizationRanges,
    FlattenAtrousConv,
    FusePadAndConv,
    FuseResizeAndConv,
    FuseResizePadAndConv,
    RemoveControlDependencies,
    RemoveDevice,
    SetDevice,
    AddDefaultAttributes,
    RemoveAttribute,
    RenameAttribute,
    RenameOp,
    RenameNode,
    ObfuscateNames,
    BackportConcatv2,
    BackportTensorArrayV3,
    SortByExecutionOrder,
)}


def transform_list(spec: TransformList) -> list[Transform]:
    """The transforms that a text, or a sequence of texts and transforms, stands for.

        >>> first, second = transform_list("remove_nodes(op=Identity) quantize_weights(bits=4)")
        >>> second.bits, str(first)
        (4, 'remove_nodes(op=Identity)')

    Raises:
      OptionError: the text is wrong, or an element is neither a text nor a transform.
    """
    if isinstance(spec, str):
        return parse(spec, TRANSFORMS)
    if not isinstance(spec, Iterable):
        raise OptionError(f"transforms: expected a text or a sequence of texts and transforms, got "
                          f"{type(spec).__name__}")
    result: list[Transform] = []
    for one in spec:
        if isinstance(one, str):
            result += parse(one, TRANSFORMS)
        elif isinstance(one, Transform):
            result.append(one)
        else:
            raise OptionError(f"transforms: expected texts and transforms, got {one!r}")
    return result
