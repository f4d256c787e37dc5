"""Edits of nodes whatever they compute: removed, merged, ordered, renamed, placed, computed ahead."""

from estimator_slim.transforms.nodes.attributes import (
    AddDefaultAttributes,
    RemoveAttribute,
    RenameAttribute,
    RenameOp,
)
from estimator_slim.transforms.nodes.backports import BackportConcatv2, BackportTensorArrayV3
from estimator_slim.transforms.nodes.devices import RemoveDevice, SetDevice
from estimator_slim.transforms.nodes.fold_constants import FoldConstants
from estimator_slim.transforms.nodes.insert_logging import InsertLogging
from estimator_slim.transforms.nodes.merging import InlinePartitionedcall, MergeDuplicateNodes
from estimator_slim.transforms.nodes.removing import (
    RemoveControlDependencies,
    RemoveNodes,
    StripUnusedNodes,
)
from estimator_slim.transforms.nodes.renaming import ObfuscateNames, RenameNode
from estimator_slim.transforms.nodes.sorting import SortByExecutionOrder

__all__ = [
    "AddDefaultAttributes",
    "BackportConcatv2",
    "BackportTensorArrayV3",
    "FoldConstants",
    "InlinePartitionedcall",
    "InsertLogging",
    "MergeDuplicateNodes",
    "ObfuscateNames",
    "RemoveAttribute",
    "RemoveControlDependencies",
    "RemoveDevice",
    "RemoveNodes",
    "RenameAttribute",
    "RenameNode",
    "RenameOp",
    "SetDevice",
    "SortByExecutionOrder",
    "StripUnusedNodes",
]
