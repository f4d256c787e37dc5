"""rename_op: nodes of one operation as nodes of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.errors import OptionError
from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.native import NativeTransform
from estimator_slim.transforms.registered import require_registered


@dataclass(frozen=True)
class RenameOp(NativeTransform):
    """Makes every node of one operation a node of another that takes the same inputs and attributes.

        Before: x ─ Relu ─ y
        After:  x ─ Relu6 ─ y

    By the engine. Mended: an operation that TensorFlow does not know, or whose attributes are others, is
    an error here, not when the servable is loaded.

    Attributes:
      old_op_name: the operation to replace.
      new_op_name: the one to put there.
    """

    text_name: ClassVar[str] = "rename_op"
    by: ClassVar[str] = "mended"
    lossy: ClassVar[bool] = True
    enters_functions: ClassVar[bool] = True
    whole: ClassVar[bool] = True
    old_op_name: str = ""
    new_op_name: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.old_op_name or not self.new_op_name:
            raise OptionError("rename_op needs both operations, as in "
                              "rename_op(old_op_name=Relu, new_op_name=Relu6)")

    def rewrite(self, graph: Graph) -> None:
        found = [name for name, node in graph.nodes.items() if node.op == self.old_op_name]
        if found:
            super().rewrite(graph)
            require_registered((graph.nodes[name] for name in found), "give another new_op_name")
