"""What becomes of a tensor's values: the nodes that they reach as they are, only moved about."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator

from estimator_slim.graph import Consumers, Graph, NodeDef, attribute, called_by, names

_FIRST_INPUT = frozenset((
    "Identity", "StopGradient", "CheckNumerics", "EnsureShape", "PlaceholderWithDefault", "Cast",
    "Reshape", "Squeeze", "ExpandDims", "Transpose", "Slice", "StridedSlice", "Tile", "BroadcastTo",
    "GatherV2", "Gather", "GatherNd", "Unique", "UniqueV2", "FloorDiv", "FloorMod", "Enter", "Exit",
    "NextIteration", "StringLower", "StringUpper", "StringStrip", "RegexReplace",
    "StaticRegexReplace"))
_ANY_INPUT = frozenset(("Pack", "ConcatV2", "Merge", "Maximum", "Minimum"))
_OTHER: dict[str, dict[int, tuple[int, ...]]] = {  # operation: {input: outputs}
    "StringSplit": {0: (1,)}, "StringSplitV2": {0: (1,)}, "SparseFillEmptyRows": {1: (1,)},
    "SparseReorder": {1: (1,)}, "Select": {1: (0,), 2: (0,)}, "SelectV2": {1: (0,), 2: (0,)},
    "SparseToDense": {2: (0,)}, "RaggedTensorToTensor": {1: (0,)}, "Switch": {0: (0, 1)}}


def passed_to(node: NodeDef, index: int) -> Iterable[int]:
    """The outputs that have the values of input `index`."""
    if node.op in _ANY_INPUT or (node.op in _FIRST_INPUT and index == 0):
        return (0,)
    if node.op == "DynamicPartition" and index == 0:
        return range(attribute(node, "num_partitions").i)
    if node.op == "IdentityN":
        return (index,)
    return _OTHER.get(node.op, {}).get(index, ())


def value_consumers(consumers: Consumers, tensor: str,
                    passed: Callable[..., Iterable[int]] = passed_to) -> Iterator[tuple[NodeDef, int]]:
    """(node, index of its input) for each node that the values of `tensor` come to.

    They may be fewer there than in `tensor`, in another order and shape, lower case, cut at spaces, or
    divided. Still, where a node takes ids below 100, ids below 100 in `tensor` are all right.

    passed: (node, index) → the outputs that they come through to.
    """
    seen, todo = set(), [names.canonical(tensor)]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for node, index in consumers.of(name):
            yield node, index
            todo += [names.tensor(node.name, port) for port in passed(node, index)]


def nodes_behind(consumers: Consumers, nodes: Iterable[NodeDef],
                 stop: frozenset[str] = frozenset()) -> list[NodeDef]:
    """`nodes` and everything that is computed from them, the nearest first.

    What is behind operations of `stop` is left out.
    """
    behind = {node.name: node for node in nodes}
    todo = collections.deque(behind)
    while todo:
        name = todo.popleft()
        for node in consumers.after(name) if behind[name].op not in stop else ():
            if node.name not in behind:
                behind[node.name] = node
                todo.append(node.name)
    return list(behind.values())


def operations_behind(graph: Graph, consumers: Consumers, nodes: Iterable[NodeDef],
                      stop: frozenset[str] = frozenset()) -> set[str]:
    """The operations of `nodes` and of everything that is computed from them, in functions too.

    What is behind operations of `stop` is left out.
    """
    return {node.op for node in with_inner(graph, nodes_behind(consumers, nodes, stop))}


def with_inner(graph: Graph, nodes: Iterable[NodeDef]) -> Iterator[NodeDef]:
    """Each of `nodes`, and behind it those of the functions that it names."""
    functions = graph.functions()
    called: set[str] = set()
    for node in nodes:
        todo = [node]
        while todo:
            one = todo.pop()
            yield one
            for name in called_by(one):
                if name in functions and name not in called:
                    called.add(name)
                    todo += reversed(functions[name].node_def)
