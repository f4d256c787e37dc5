"""Who reads what: the consumers, as TensorFlow calls them, of each tensor and each node of a graph."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection

from estimator_slim.graph import _names as names
from estimator_slim.graph.graph import Graph, NodeDef


class Consumers:
    """The consumers in a graph, as they are when this is made: edits that come later do not count.

    A node can become one with its consumer where nothing else would miss the tensor between them: it is
    read by no second node, neither fed nor fetched by a signature, and no control dependency waits for
    the node that makes it (`only`, `obstacle`).
    """

    def __init__(self, graph: Graph):
        self._graph = graph
        self._of: dict[str, list[tuple[NodeDef, int]]] = defaultdict(list)  # by tensor, or `^node`
        for node in graph.nodes.values():
            for index, name in enumerate(node.input):
                self._of[names.canonical(name)].append((node, index))
        self._read: dict[str, list[str]] = defaultdict(list)  # node → those that are of it
        for name in self._of:
            self._read[names.node_of(name)].append(name)

    def of(self, tensor: str) -> list[tuple[NodeDef, int]]:
        """The (node, input index) pairs that read `tensor`."""
        return self._of.get(names.canonical(tensor), [])

    def of_node(self, name: str) -> list[tuple[NodeDef, int]]:
        """The (node, input index) pairs that read any output of the node `name`."""
        return [pair for tensor in self._read.get(name, ()) if not names.is_control(tensor)
                for pair in self._of[tensor]]

    def waiting_for(self, name: str) -> list[tuple[NodeDef, int]]:
        """The (node, input index) pairs that wait for the node `name` by a control dependency."""
        return self._of.get(f"^{name}", [])

    def after(self, name: str) -> Collection[NodeDef]:
        """The nodes that read the node `name` or wait for it, each once."""
        pairs = (pair for read in self._read.get(name, ()) for pair in self._of[read])
        return {node.name: node for node, _ in pairs}.values()

    def outputs_read(self, name: str) -> list[int]:
        """Which outputs of the node `name` other nodes read, in order."""
        return sorted(port for _, port in map(names.split, self._read.get(name, ())) if port >= 0)

    def only(self, tensor: str) -> tuple[NodeDef, int] | None:
        """The (node, input index) that reads `tensor`, where there is no obstacle."""
        return self.of(tensor)[0] if self.obstacle(tensor) is None else None

    def obstacle(self, tensor: str) -> str | None:
        """Why `tensor` has to stay; None if one node reads it and nothing else would miss it.

        "2 nodes read 'dense/MatMul'", "a signature fetches 'scores'".
        """
        if tensor in self._graph.interface.fed:
            return f"a signature feeds {tensor!r}"
        if tensor in self._fetched:
            return f"a signature fetches {tensor!r}"
        if self.waiting_for(names.node_of(tensor)):
            return f"a control dependency goes through {names.node_of(tensor)!r}"
        found = self.of(tensor)
        if len(found) != 1:
            return f"{len(found)} nodes read {tensor!r}"
        name = found[0][0].name
        return f"more than one output of {name!r} is in use" if name in self._of_many else None

    def are_alone_with(self, constant: str) -> bool:
        """True if one node reads `constant`, and nothing else reads what its value comes through."""
        while self.only(constant) is not None:
            inputs = self._graph.nodes[names.node_of(constant)].input
            if not inputs:
                return True
            constant = names.canonical(inputs[0])
        return False

    @functools.cached_property
    def _fetched(self) -> frozenset[str]:
        return frozenset(self._graph.interface.outputs())

    @functools.cached_property
    def _of_many(self) -> set[str]:
        """The nodes of which another output than the first is in use."""
        used = [*self._of, *self._fetched, *self._graph.interface.fed]
        return {names.node_of(tensor) for tensor in used if names.split(tensor)[1] > 0}
