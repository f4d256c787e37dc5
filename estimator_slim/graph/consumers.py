"""Which node alone reads a tensor, so that the two can become one.

Whether a node waits for another that it does not read.
"""

from __future__ import annotations

from estimator_slim.graph import _names as names
from estimator_slim.graph.graph import Graph, NodeDef


class SoleReaders:
    """Who reads what in a graph, as it was when this was made."""

    def __init__(self, graph: Graph):
        self._graph = graph
        self._readers = graph.consumers()
        self._fetched = frozenset(graph.interface.outputs())
        asked = [*self._readers, *self._fetched, *graph.interface.fed]
        self._further = {names.node_of(t) for t in asked if names.split(t)[1] > 0}

    def of(self, tensor: str) -> list[tuple[NodeDef, int]]:
        """The (node, input index) pairs that read `tensor`."""
        return self._readers.get(names.canonical(tensor), [])

    def only(self, tensor: str) -> tuple[NodeDef, int] | None:
        """The (node, input index) that reads `tensor`, where there is no obstacle."""
        return self.of(tensor)[0] if self.obstacle(tensor) is None else None

    def obstacle(self, tensor: str) -> str | None:
        """Why `tensor` has to stay; None if one node, which has one output, reads it and no more."""
        if tensor in self._graph.interface.fed:
            return f"a signature feeds {tensor!r}"
        if tensor in self._fetched:
            return f"a signature fetches {tensor!r}"
        if f"^{names.node_of(tensor)}" in self._readers:
            return f"a control dependency goes through {names.node_of(tensor)!r}"
        readers = self.of(tensor)
        if len(readers) != 1:
            return f"{len(readers)} nodes read {tensor!r}"
        name = readers[0][0].name
        return f"more than one output of {name!r} is in use" if name in self._further else None

    def are_alone_with(self, constant: str) -> bool:
        """True if nothing but the one reader of `constant` depends on what its value comes from."""
        while self.only(constant) is not None:
            inputs = self._graph.nodes[names.node_of(constant)].input
            if not inputs:
                return True
            constant = names.canonical(inputs[0])
        return False


def waits(graph: Graph, tensor: str) -> bool:
    """True if the node that `tensor` comes from has a control dependency, which would go with it."""
    return any(names.is_control(i) for i in graph.producer(tensor).input)
