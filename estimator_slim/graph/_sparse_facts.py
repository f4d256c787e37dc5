"""What is certain of the ids and indices of sparse features, by the operations they come from."""

from __future__ import annotations

import numpy as np

from estimator_slim.graph import _names as names
from estimator_slim.graph._operations import attribute, parsed_part
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.graph.shapes import Symbols

_HASHES = ("StringToHashBucketFast", "StringToHashBucketStrong", "StringToHashBucket")
_SOME_OF_FIRST = ("Reshape", "Squeeze", "GatherV2", "Unique")  # their values are values of input 0
_IN_ROW_ORDER = ("Where", "StringSplit", "StringSplitV2", "RaggedTensorToSparse")
_DENSE_SHAPES = (("Shape", 0), ("SparseReshape", 1), ("SparseConcat", 2), ("SparseCross", 2),
                 ("SparseCrossHashed", 2), ("SparseCrossV2", 2), ("StringSplit", 2),
                 ("StringSplitV2", 2), ("RaggedTensorToSparse", 2))
_PARSERS = ("ParseExample", "ParseExampleV2")


def never_negative(graph: Graph, tensor: str) -> bool:
    """True if no element of the integer `tensor` can be below zero."""
    todo, seen = [graph.source(tensor)], set()
    while todo:
        source = todo.pop()
        if source not in seen:
            seen.add(source)
            behind = _not_negative_if(graph, graph.producer(source))
            if behind is None:
                return False
            todo += [graph.source(name) for name in behind]
    return True


def _not_negative_if(graph: Graph, node: NodeDef) -> list[str] | None:
    """The tensors that must have no negative values for `node` to make none; None if it may anyway."""
    if node.op in (*_HASHES, "LookupTableSizeV2", "LookupTableSize"):
        return []
    if node.op in _SOME_OF_FIRST:
        return [node.input[0]]
    if node.op == "FloorMod":
        divisor = graph.constant(node.input[1])
        return [] if divisor is not None and bool(np.all(divisor > 0)) else None
    if node.op in ("Add", "AddV2"):
        return list(node.input[:2])
    if node.op == "Const":
        value = graph.constant(node.name)
        is_integer = value is not None and value.dtype.kind in "iu"
        return [] if is_integer and bool(np.all(value >= 0)) else None
    if node.op in ("Select", "SelectV2") and _is_in_vocabulary(graph, node):
        return [node.input[2]]
    return None


def all_below(graph: Graph, tensor: str, limit: int) -> bool:
    """True if every element of the integer `tensor` is certain to be below `limit`."""
    node = graph.producer(tensor)
    while node.op in _SOME_OF_FIRST and names.split(graph.source(tensor))[1] == 0:
        tensor = node.input[0]
        node = graph.producer(tensor)
    return node.op in _HASHES and attribute(node, "num_buckets").i <= limit


def _is_in_vocabulary(graph: Graph, select: NodeDef) -> bool:
    """The ids of a vocabulary with out-of-vocabulary buckets: where(id != -1, id, hash + size).

    A table that is filled with line numbers has no negative ids but its default.
    """
    condition = graph.producer(select.input[0])
    found = graph.producer(select.input[1])
    if condition.op != "NotEqual":
        return False
    missing = graph.constant(condition.input[1])
    default = graph.constant(found.input[2]) if found.op == "LookupTableFindV2" else None
    return (missing is not None and default is not None and int(missing) == int(default)
            and graph.producer(condition.input[0]) is found
            and _filled_with_line_numbers(graph, found.input[0]))


def _filled_with_line_numbers(graph: Graph, table: str) -> bool:
    handle = graph.source(table)
    fillers = [n for n in graph.nodes.values()
               if n.op.startswith(("InitializeTable", "LookupTableImport", "LookupTableInsert",
                                   "LookupTableRemove"))
               and graph.source(n.input[0]) == handle]
    return bool(fillers) and all(
        n.op == "InitializeTableFromTextFileV2" and attribute(n, "value_index").i == -1
        and attribute(n, "offset").i >= 0 for n in fillers)


def in_row_order(graph: Graph, indices: str) -> bool:
    """True if the rows of a sparse tensor's `indices` are sorted, and inside its dense shape."""
    while True:
        node, port = graph.producer(indices), names.split(graph.source(indices))[1]
        if node.op in _PARSERS:
            return parsed_part(node, port)[0] == "indices"
        if node.op in _IN_ROW_ORDER:
            return port == 0
        is_reshaped = node.op == "SparseReshape" and port == 0
        if not is_reshaped and (node.op != "GatherV2" or kept_by_filter(graph, node) is None):
            return False
        indices = node.input[0]


def is_dense_shape(graph: Graph, tensor: str) -> bool:
    """True if `tensor` is certain to be a shape that a sparse tensor may have: computed, not fed."""
    node, port = graph.producer(tensor), names.split(graph.source(tensor))[1]
    if node.op in _PARSERS:
        return parsed_part(node, port)[0] == "shape"
    if node.op == "Cast":
        return is_dense_shape(graph, node.input[0])
    return (node.op, port) in _DENSE_SHAPES


def kept_by_filter(graph: Graph, gather: NodeDef) -> str | None:
    """The condition c, where `gather` is `x[where(c)]` along axis 0; None if it is anything else."""
    where = graph.producer(gather.input[1])
    if where.op in ("Reshape", "Squeeze"):
        where = graph.producer(where.input[0])
    if where.op != "Where" or graph.constant(gather.input[2]) != 0:
        return None
    return where.input[0]


def always_true(graph: Graph, condition: str) -> str | None:
    """The tensor v, where `condition` is `v >= 0` and v is never negative; None otherwise."""
    node = graph.producer(condition)
    if node.op != "GreaterEqual":
        return None
    bound = graph.constant(node.input[1])
    certain = bound is not None and bound.ndim == 0 and bound <= 0
    return node.input[0] if certain and never_negative(graph, node.input[0]) else None


def same_length(symbols: Symbols, left: str, right: str) -> bool:
    """True if both tensors have as many rows in every request."""
    a, b = symbols.shape(left), symbols.shape(right)
    return bool(a) and bool(b) and a[0] == b[0]  # type: ignore[index]
