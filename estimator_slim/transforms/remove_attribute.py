"""remove_attribute: nodes without an attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.errors import OptionError
from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.attribute_edits import edit_attributes
from estimator_slim.transforms.native import NativeTransform


@dataclass(frozen=True)
class RemoveAttribute(NativeTransform):
    """Takes an attribute from every node that has it, or from those of one operation.

        Before: MatMul {T: float, _output_shapes: ...}
        After:  MatMul {T: float}

    Where the attribute has a default, the default holds from then on.

    By the engine. Mended: a node left without an attribute that it needs is an error here, not when the
    servable is loaded, and a variable without its `shared_name` keeps its value.

    Attributes:
      attribute_name: the attribute to take away.
      op_name: only from nodes of this operation.
    """

    text_name: ClassVar[str] = "remove_attribute"
    by: ClassVar[str] = "mended"
    lossy: ClassVar[bool] = True
    enters_functions: ClassVar[bool] = True
    whole: ClassVar[bool] = True
    attribute_name: str = ""
    op_name: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.attribute_name:
            raise OptionError("remove_attribute needs the attribute to remove, as in "
                              "remove_attribute(attribute_name=_output_shapes)")

    def rewrite(self, graph: Graph) -> None:
        with edit_attributes(graph, self.attribute_name, self.op_name) as found:
            if found:
                super().rewrite(graph)
