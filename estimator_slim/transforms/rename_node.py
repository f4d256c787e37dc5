"""rename_node: another name for one node."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.errors import OptionError, TransformError
from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.renaming import rename_nodes

_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")


@dataclass(frozen=True)
class RenameNode(Transform):
    """Gives a node another name; signatures, the init op, tables and assets follow it.

        Before: x ─ head/predictions/probabilities ─ (scores of serving_default)
        After:  x ─ scores ─ (scores of serving_default)

    Ours: the engine's renames in the graph alone and leaves signatures without their tensors. Clients
    feed and fetch by the keys of a signature, which stay.

    Attributes:
      old_node_name: the node; without one of this name nothing changes.
      new_node_name: its new name, which no node may have.
    """

    text_name: ClassVar[str] = "rename_node"
    by: ClassVar[str] = "ours"
    old_node_name: str = ""
    new_node_name: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.old_node_name or not _NAME.fullmatch(self.new_node_name):
            raise OptionError("rename_node(old_node_name=..., new_node_name=...) takes the name of a "
                              "node and a new one, of letters, digits, '_', '.', '/', '-' and '>', got "
                              f"{self.old_node_name!r} and {self.new_node_name!r}")

    def rewrite(self, graph: Graph) -> None:
        if self.old_node_name not in graph.nodes:
            graph.skip(self.old_node_name, "there is no node of this name")
        elif self.new_node_name != self.old_node_name:
            if self.new_node_name in graph.nodes:
                raise TransformError(f"another node is called {self.new_node_name!r} already; give "
                                     f"{self.old_node_name!r} a name that is free")
            rename_nodes(graph, {self.old_node_name: self.new_node_name})
