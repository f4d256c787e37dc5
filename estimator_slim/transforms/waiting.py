"""Whether a node waits for another that it does not read."""

from __future__ import annotations

from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph


def waits(graph: Graph, tensor: str) -> bool:
    """True if the node that `tensor` comes from has a control dependency, which would go with it."""
    return any(names.is_control(i) for i in graph.producer(tensor).input)
