"""obfuscate_names: short names that tell nothing."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import VARIABLE_OPS, Graph, shared_name
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.renaming import rename_nodes

_SIGNS = string.digits + string.ascii_letters


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
            node.attr["shared_name"].s = key.encode()
    graph.weights = {new: graph.weights[old] for old, new in new_names.items()}
