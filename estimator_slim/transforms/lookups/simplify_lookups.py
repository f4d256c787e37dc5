"""simplify_lookups: what feature columns do beyond looking rows up and adding them, taken out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph import (
    Consumers,
    Dims,
    Graph,
    NodeDef,
    Symbols,
    attribute,
    names,
    sparse_facts,
)
from estimator_slim.transforms.base import Skip, Transform
from estimator_slim.transforms.lookups._empty_rows import rewrite_empty_rows
from estimator_slim.transforms.lookups._indicators import rewrite_indicators
from estimator_slim.transforms.lookups._merge_partitions import merge_partitions

_ROUNDS = 10


@dataclass(frozen=True)
class SimplifyLookups(Transform):
    """Takes out of a feature column's lookup what provably changes nothing.

        Before: ParseExample ─ SparseReshape ─ filter ids >= 0 ─ SparseFillEmptyRows ─ Unique
                ─ GatherV2 ─ SparseSegmentSqrtN ─ Tile, Select ─ Reshape ─ Reshape ─ MatMul
        After:  ParseExample ─ Unique ─ GatherV2 ─ SparseSegmentSqrtNWithNumSegments ─ MatMul

    Lossless: a reshape goes where the shape is the one that the tensor has anyway (a sparse one that is
    fed stays, as it refuses impossible shapes), a filter for negative ids where the ids come from a
    hash or a vocabulary, the handling of empty rows where the indices are certain to be in order;
    several computations of one number (the batch size, mostly) become one; the partitions of a table
    become one table. What a request could change stays. An indicator column of many columns times a
    kernel becomes a lookup and sum over the kernel's rows, which adds the same numbers in another order.
    """

    text_name: ClassVar[str] = "simplify_lookups"
    by: ClassVar[str] = "ours"

    def rewrite(self, graph: Graph) -> list[Skip]:
        skips: list[Skip] = []
        merge_partitions(graph)
        for _ in range(_ROUNDS):
            graph.prune()
            symbols = Symbols(graph)
            replaced = dict(_unnecessary(graph, symbols))
            graph.redirect(replaced)
            changed, skips = rewrite_empty_rows(graph)
            if not changed and not replaced:
                break
        graph.prune()
        rewrite_indicators(graph, Symbols(graph))
        graph.prune()
        graph.redirect(_equal_numbers(graph, Symbols(graph)))
        return skips


def _unnecessary(graph: Graph, symbols: Symbols) -> Iterator[tuple[str, str]]:
    """(tensor, the equal tensor that it is made from) for every node that changes nothing."""
    consumers = Consumers(graph)
    for node in graph.nodes.values():
        if names.control_inputs(node):
            continue
        for tensor, equal in _equals(graph, symbols, node):
            if consumers.of(tensor) and tensor not in graph.interface.fed:
                yield tensor, names.canonical(equal)


def _equals(graph: Graph, symbols: Symbols, node: NodeDef) -> Iterator[tuple[str, str]]:
    if node.op == "Reshape" and _same(symbols.shape(node.input[0]), symbols.value(node.input[1])):
        yield node.name, node.input[0]
    elif node.op == "SparseReshape":
        old, new = (symbols.value(i) for i in node.input[1:3])
        if _same(old, new) and sparse_facts.is_dense_shape(graph, node.input[1]):
            yield node.name, node.input[0]
            yield f"{node.name}:1", node.input[1]
    elif node.op == "ConcatV2" and attribute(node, "N").i == 1:
        yield node.name, node.input[0]
    elif node.op == "GatherV2":
        condition = sparse_facts.kept_by_filter(graph, node)
        ids = condition and sparse_facts.always_true(graph, condition)
        if ids and sparse_facts.same_length(symbols, node.input[0], ids):
            yield node.name, node.input[0]


def _same(old: Dims, new: Dims) -> bool:
    """True if a reshape from `old` to `new` changes nothing.

    One -1 in `new` is whatever it has to be; but in a tensor without elements TensorFlow cannot tell
    what it stands for if another dimension is 0, so the others have to be known.
    """
    if old is None or new is None or len(old) != len(new):
        return False
    differing = [b for a, b in zip(old, new) if a != b]
    others = [b for b in new if b != -1]
    return not differing or differing == [-1] and all(isinstance(d, int) and d > 0 for d in others)


def _equal_numbers(graph: Graph, symbols: Symbols) -> dict[str, str]:
    """Integer tensors → the first one in the graph's order of execution that has the same value."""
    first: dict[tuple, str] = {}
    replaced = {}
    for node in _in_order(graph):
        value = symbols.value(node.name) if node.op != "Const" else None
        if value is None or all(isinstance(v, int) for v in value):
            continue
        kind = (value, symbols.dtype(node.name), len(symbols.shape(node.name) or ()))
        if first.setdefault(kind, node.name) != node.name and not names.control_inputs(node):
            replaced[node.name] = first[kind]
    return replaced


def _in_order(graph: Graph) -> list[NodeDef]:
    """The nodes, each after what it reads (but for the edges that close a loop)."""
    order: list[NodeDef] = []
    started: set[str] = set()
    todo = [(name, False) for name in reversed(graph.nodes)]
    while todo:
        name, done = todo.pop()
        if done:
            order.append(graph.nodes[name])
        elif name not in started:
            started.add(name)
            todo.append((name, True))
            todo += [(names.node_of(i), False) for i in graph.nodes[name].input]
    return order
