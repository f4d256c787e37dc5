"""merge_duplicate_nodes: one node for several that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.transforms.native import NativeTransform


@dataclass(frozen=True)
class MergeDuplicateNodes(NativeTransform):
    """Leaves one of the nodes that compute the same from the same.

        Before: x ─ Shape ─ a,  x ─ Shape_1 ─ b
        After:  x ─ Shape ─ a, b

    By the engine. Nodes with a state (tables, random numbers) are never merged.
    """

    text_name: ClassVar[str] = "merge_duplicate_nodes"
    enters_functions: ClassVar[bool] = True
