"""rename_node, obfuscate_names: another name for one node, or short names for all."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.errors import OptionError, TransformError
from estimator_slim.graph import VARIABLE_OPS, Graph, attributes, rename_nodes, shared_name
from estimator_slim.transforms.base import Skip, Transform

_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_SIGNS = string.digits + string.ascii_letters


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

    def rewrite(self, graph: Graph) -> list[Skip]:
        if self.old_node_name not in graph.nodes:
            return [Skip(self.old_node_name, "there is no node of this name")]
        if self.new_node_name != self.old_node_name:
            if self.new_node_name in graph.nodes:
                raise TransformError(f"another node is called {self.new_node_name!r} already; give "
                                     f"{self.old_node_name!r} a name that is free")
            rename_nodes(graph, {self.old_node_name: self.new_node_name})
        return []


@dataclass(frozen=True)
class ObfuscateNames(Transform):
    """Gives every node a short name, in the order of the file, and every stored variable its node's.

        Before: x ─ dnn/hiddenlayer_0/MatMul ─ head/probabilities (fetched)
        After:  x ─ 0 ─ head/probabilities

    What signatures feed and fetch, the init op, table initialisers and assets keep their names.

    Ours: the engine's does not know the names outside of the part that answers requests, and may give
    one of them again.
    """

    text_name: ClassVar[str] = "obfuscate_names"
    by: ClassVar[str] = "ours"
    enters_functions: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> None:
        kept = set(graph.interface.roots())
        free = (name for name in _short_names() if name not in kept)
        rename_nodes(graph, {name: next(free) for name in graph.nodes if name not in kept})
        _rename_weights(graph)


def _short_names() -> Iterator[str]:
    """`0`, `1`, ..., `Z`, `00`, `01`, ..."""
    for length in itertools.count(1):
        yield from map("".join, itertools.product(_SIGNS, repeat=length))


def _rename_weights(graph: Graph) -> None:
    """Calls each weight by the name of the first node that holds it."""
    new_names: dict[str, str] = {}
    for node in graph.nodes.values():
        if node.op in VARIABLE_OPS and shared_name(node) in graph.weights:
            key = new_names.setdefault(shared_name(node), node.name)
            attributes.put(node, "shared_name", key)
    graph.weights = {new: graph.weights[old] for old, new in new_names.items()}
