"""A large multi-hot indicator column times a kernel: a lookup of the kernel's rows, added up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from estimator_slim.graph import (
    CONSTANT_BYTES,
    Consumers,
    Graph,
    NodeDef,
    Symbols,
    Weight,
    attribute,
    attributes,
    sparse_facts,
)
from estimator_slim.transforms.lookups._lookup_sum import SparseIds, become_lookup_sum


@dataclass(frozen=True)
class _Part:
    """Columns first..stop of a layer's input: the tensor, or the ids that it is the multi-hot of."""

    tensor: str
    first: int
    stop: int
    ids: SparseIds | None


def rewrite_indicators(graph: Graph, symbols: Symbols) -> None:
    """Rewrites each layer whose input has a large indicator column in it.

        Before: ConcatV2(a, Sum(OneHot(SparseToDense(ids)))) ─ MatMul(kernel)
        After:  a ─ MatMul(its rows of the kernel) ─ AddN
                ids ─ Unique ─ GatherV2(the other rows) ─ SparseSegmentSum ─┘
    """
    consumers = Consumers(graph)
    for node in list(graph.nodes.values()):
        if node.op != "MatMul" or attribute(node, "transpose_a").b or attribute(node, "transpose_b").b:
            continue
        kernel = graph.weight(node.input[1])
        if kernel is None or len(consumers.of(graph.source(node.input[1]))) != 1 or len(node.input) != 2:
            continue
        parts = list(_parts(graph, symbols, consumers, node.input[0], kernel))
        if any(part.ids for part in parts) and parts[-1].stop == kernel.shape[0]:
            _rewrite(graph, node, kernel, parts)


def _parts(graph: Graph, symbols: Symbols, consumers: Consumers, tensor: str,
           kernel: Weight) -> Iterator[_Part]:
    """The columns of a layer's input; they end where a width is not known."""
    concat = graph.producer(tensor)
    axis = graph.constant(concat.input[-1]) if concat.op == "ConcatV2" else None
    is_joined = axis is not None and int(axis) in (1, -1) and len(consumers.of(concat.name)) == 1
    first = 0
    for part in list(concat.input[:-1]) if is_joined else [tensor]:
        shape = symbols.shape(part)
        width = shape[1] if shape is not None and len(shape) == 2 else None
        if not isinstance(width, int):
            return
        is_large = width * kernel.byte_count > CONSTANT_BYTES * kernel.row_count
        yield _Part(part, first, first + width, _ids(graph, part, width) if is_large else None)
        first += width


def _ids(graph: Graph, tensor: str, depth: int) -> SparseIds | None:
    """The ids whose multi-hot of `depth` columns `tensor` is, where they are certain to fit."""
    total = graph.producer(tensor)
    hot = graph.producer(total.input[0]) if total.op == "Sum" else total
    dense = graph.producer(hot.input[0]) if hot.op == "OneHot" else hot
    is_last = attribute(hot, "axis").i == -1
    if dense.op != "SparseToDense" or attribute(total, "keep_dims").b or not is_last:
        return None
    if attributes.dtype(dense, "T") != tf.int64:
        return None
    values = [graph.constant(i) for i in hot.input[1:4]]
    axis, missing = graph.constant(total.input[1]), graph.constant(dense.input[3])
    if any(v is None for v in (*values, axis, missing)) or [int(v) for v in values] != [depth, 1, 0]:
        return None
    indices, shape, ids = dense.input[0], dense.input[1], dense.input[2]
    fits = (int(missing) < 0 and list(np.reshape(axis, -1)) in ([-2], [1])
            and sparse_facts.in_row_order(graph, indices) and sparse_facts.never_negative(graph, ids)
            and sparse_facts.all_below(graph, ids, depth))
    return SparseIds(indices, ids, shape) if fits else None


def _rewrite(graph: Graph, matmul: NodeDef, kernel: Weight, parts: list[_Part]) -> None:
    name, dtype = matmul.name, kernel.dtype
    terms = []
    for part in parts:
        if part.ids is not None:
            table = graph.add_weight(f"{name}/table", _rows_of(kernel, [part]))
            total = graph.add("NoOp", f"{name}/looked_up")
            become_lookup_sum(graph, graph.nodes[total], table=table, dtype=dtype, ids=part.ids,
                              ids_dtype=tf.int64)
            terms.append(total)
    rest = [part for part in parts if part.ids is None]
    if rest:
        terms.append(_product(graph, name, kernel, rest))
    graph.become(matmul, "AddN", terms, N=len(terms), T=dtype)


def _product(graph: Graph, name: str, kernel: Weight, parts: list[_Part]) -> str:
    """Adds the MatMul of the columns that stay."""
    x = parts[0].tensor
    if len(parts) > 1:
        axis = graph.add_constant(f"{name}/input/axis", np.int32(1))
        x = graph.add("ConcatV2", f"{name}/input", [*(p.tensor for p in parts), axis],
                      N=len(parts), T=kernel.dtype, Tidx=tf.int32)
    weight = graph.add_weight(f"{name}/kernel", _rows_of(kernel, parts))
    return graph.add("MatMul", f"{name}/product", [x, weight], T=kernel.dtype, transpose_a=False,
                     transpose_b=False)


def _rows_of(kernel: Weight, parts: list[_Part]) -> Weight:
    """The rows of `kernel` that belong to `parts`, by reference."""
    def read(start: int, stop: int) -> np.ndarray:
        pieces, at = [kernel.read(0, 0)], 0
        for part in parts:
            first, last = max(start, at), min(stop, at + part.stop - part.first)
            if first < last:
                pieces.append(kernel.read(part.first + first - at, part.first + last - at))
            at += part.stop - part.first
        return np.concatenate(pieces)

    count = sum(part.stop - part.first for part in parts)
    return replace(kernel, shape=(count, *kernel.shape[1:]), read=read)
