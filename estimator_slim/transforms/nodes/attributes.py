"""add_default_attributes, remove_attribute, rename_attribute, rename_op: what nodes say of themselves.

After an edit a node must still be one that TensorFlow loads, and a variable must find its value, which
goes by its attribute `shared_name` (`edit_attributes`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.errors import OptionError
from estimator_slim.graph import VARIABLE_OPS, Graph, operations, shared_name
from estimator_slim.transforms.engine import NativeTransform


@dataclass(frozen=True)
class AddDefaultAttributes(NativeTransform):
    """Writes down every attribute that a node leaves out because it is at its default.

        Before: MatMul {T: float}
        After:  MatMul {T: float, transpose_a: false, transpose_b: false}

    By the engine. Exports leave defaults out so that older TensorFlow can load them; tools that know no
    defaults, and some of the engine's own transforms, need them back.
    """

    text_name: ClassVar[str] = "add_default_attributes"
    enters_functions: ClassVar[bool] = True
    whole: ClassVar[bool] = True


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
            operations.require_registered((graph.nodes[name] for name in found),
                                          "give another new_op_name")


@contextlib.contextmanager
def edit_attributes(graph: Graph, key: str, op_name: str) -> Iterator[list[str]]:
    """The nodes (of operation `op_name`, if that is not empty) that have attribute `key`, to be edited.

    When the block ends, each weight goes by what its variable's `shared_name` is then.

    Raises:
      TransformError: TensorFlow would not take an edited node.
    """
    found = [name for name, node in graph.nodes.items()
             if key in node.attr and op_name in ("", "*", node.op)]
    known_as = {name: shared_name(graph.nodes[name]) for name in found
                if graph.nodes[name].op in VARIABLE_OPS}
    yield found
    operations.require_registered((graph.nodes[name] for name in found),
                                  "give an op_name to spare others")
    for name, old in known_as.items():
        if old in graph.weights:
            graph.weights[shared_name(graph.nodes[name])] = graph.weights[old]
