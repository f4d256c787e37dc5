"""rename_attribute: another name for an attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.errors import OptionError
from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.attribute_edits import edit_attributes
from estimator_slim.transforms.native import NativeTransform


@dataclass(frozen=True)
class RenameAttribute(NativeTransform):
    """Gives an attribute another name in every node that has it, or in those of one operation.

        Before: MatMul {T: float, _note: ...}
        After:  MatMul {T: float, _reason: ...}

    By the engine. Mended: a node with an attribute that its operation does not know, or without one
    that it needs, is an error here, not when the servable is loaded.

    Attributes:
      old_attribute_name: the attribute.
      new_attribute_name: what to call it.
      op_name: only in nodes of this operation.
    """

    text_name: ClassVar[str] = "rename_attribute"
    by: ClassVar[str] = "mended"
    lossy: ClassVar[bool] = True
    enters_functions: ClassVar[bool] = True
    whole: ClassVar[bool] = True
    old_attribute_name: str = ""
    new_attribute_name: str = ""
    op_name: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.old_attribute_name or not self.new_attribute_name:
            raise OptionError("rename_attribute needs both names, as in "
                              "rename_attribute(old_attribute_name=_note, new_attribute_name=_reason)")

    def rewrite(self, graph: Graph) -> None:
        with edit_attributes(graph, self.old_attribute_name, self.op_name) as found:
            if found:
                super().rewrite(graph)
