"""Every transform there is, in one table, and the list that is run when nobody chose one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Union

from estimator_slim.errors import OptionError
from estimator_slim.transforms.add_default_attributes import AddDefaultAttributes
from estimator_slim.transforms.backport_concatv2 import BackportConcatv2
from estimator_slim.transforms.backport_tensor_array_v3 import BackportTensorArrayV3
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.flatten_atrous_conv import FlattenAtrousConv
from estimator_slim.transforms.fold_batch_norms import FoldBatchNorms
from estimator_slim.transforms.fold_constants import FoldConstants
from estimator_slim.transforms.fold_old_batch_norms import FoldOldBatchNorms
from estimator_slim.transforms.freeze_requantization_ranges import FreezeRequantizationRanges
from estimator_slim.transforms.fuse_pad_and_conv import FusePadAndConv
from estimator_slim.transforms.fuse_resize_and_conv import FuseResizeAndConv
from estimator_slim.transforms.fuse_resize_pad_and_conv import FuseResizePadAndConv
from estimator_slim.transforms.inline_partitionedcall import InlinePartitionedcall
from estimator_slim.transforms.insert_logging import InsertLogging
from estimator_slim.transforms.merge_duplicate_nodes import MergeDuplicateNodes
from estimator_slim.transforms.obfuscate_names import ObfuscateNames
from estimator_slim.transforms.quantize_nodes import QuantizeNodes
from estimator_slim.transforms.quantize_weights import QuantizeWeights
from estimator_slim.transforms.remove_attribute import RemoveAttribute
from estimator_slim.transforms.remove_control_dependencies import RemoveControlDependencies
from estimator_slim.transforms.remove_device import RemoveDevice
from estimator_slim.transforms.remove_nodes import RemoveNodes
from estimator_slim.transforms.rename_attribute import RenameAttribute
from estimator_slim.transforms.rename_node import RenameNode
from estimator_slim.transforms.rename_op import RenameOp
from estimator_slim.transforms.round_weights import RoundWeights
from estimator_slim.transforms.set_device import SetDevice
from estimator_slim.transforms.simplify_lookups import SimplifyLookups
from estimator_slim.transforms.sort_by_execution_order import SortByExecutionOrder
from estimator_slim.transforms.sparsify_gather import SparsifyGather
from estimator_slim.transforms.strip_unused_nodes import StripUnusedNodes
from estimator_slim.transforms.text import parse

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

DEFAULT = ("strip_unused_nodes remove_nodes(op=Identity) fold_constants fold_batch_norms "
           "simplify_lookups merge_duplicate_nodes quantize_weights sort_by_execution_order")


def transform_list(spec: TransformList) -> list[Transform]:
    """The transforms that a text, or a sequence of texts and transforms, stands for.

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
