"""Branches and loops as TensorFlow 1.x builds them: which nodes run only inside of one.

A constant in a branch reads nothing from inside of it: only a control dependency on the Switch that
starts the branch or loop keeps it there. Without that it would run every time, or outside of the loop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from estimator_slim.graph import _names as names
from estimator_slim.graph.consumers import Consumers
from estimator_slim.graph.graph import Graph, NodeDef

_ENTERS, _EXITS = ("Enter", "RefEnter"), ("Exit", "RefExit")
_SWITCHES, _MERGES = ("Switch", "RefSwitch"), ("Merge", "RefMerge")


def reached(graph: Graph, starts: Iterable[str], ends: Iterable[str] = ()) -> set[str]:
    """The nodes that depend on `starts`, as far as `ends`, which are not among them."""
    consumers, stop = Consumers(graph), set(ends)
    found: set[str] = set()
    todo = list(starts)
    while todo:
        for node in consumers.after(todo.pop()):
            if node.name not in found and node.name not in stop:
                found.add(node.name)
                todo.append(node.name)
    return found


def inside_branches(graph: Graph) -> set[str]:
    """The nodes between the Switch and the Merge of a branch."""
    by_op = defaultdict(list)
    for node in graph.nodes.values():
        by_op[node.op].append(node)
    switches = [n.name for op in _SWITCHES for n in by_op[op] if not _has(graph, n, ("LoopCond",))]
    merges = [n.name for op in _MERGES for n in by_op[op] if not _has(graph, n, _ENTERS)]
    return reached(graph, switches, merges)


def _has(graph: Graph, node: NodeDef, ops: tuple[str, ...]) -> bool:
    return any(graph.nodes[names.node_of(i)].op in ops for i in node.input)


def inside_loops(graph: Graph) -> set[str]:
    """The nodes that run once for each turn of a loop."""
    consumers = Consumers(graph)
    enters = [name for name, node in graph.nodes.items() if node.op in _ENTERS]
    depth: dict[str, int] = defaultdict(int)
    todo = list(enters)
    while todo:
        name = todo.pop()
        op = graph.nodes[name].op
        outside = depth[name] + (op in _ENTERS) - (op in _EXITS)
        for node in consumers.after(name):
            if depth[node.name] < outside <= len(enters):  # a graph in order nests no deeper
                depth[node.name] = outside
                todo.append(node.name)
    return {name for name, loops in depth.items() if loops}
