"""The kernels that the rows of a table meet first, where nothing but sums lies between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.graph.symbolic import Symbols

_SUMS = tuple(f"SparseSegment{c}{n}" for c in ("Sum", "Mean", "SqrtN") for n in ("", "WithNumSegments"))


def importance(graph: Graph, lookups: Iterable[NodeDef], width: int) -> np.ndarray | None:
    """The sum of k @ k.T over the kernels k that the looked-up rows are added up and multiplied by.

        GatherV2 ─ SparseSegmentMean ─ ConcatV2 ─ MatMul(kernel)      k: the table's rows of kernel

    Returns:
      float64 [width, width], or None where anything else reads the rows on their way.
    """
    symbols, consumers = Symbols(graph), graph.consumers()
    total = np.zeros((width, width))
    for lookup in lookups:
        found = _follow(graph, symbols, consumers, lookup, 0, width)
        if found is None:
            return None
        total += found
    return total


def _follow(graph: Graph, symbols: Symbols, consumers: Mapping, node: NodeDef, first: int,
            width: int) -> np.ndarray | None:
    """`importance` of columns first..first + width of the output of `node`."""
    readers = consumers.get(node.name, ())
    if not readers or node.name in graph.interface.outputs() or f"^{node.name}" in consumers:
        return None
    total = np.zeros((width, width))
    for reader, index in readers:
        if reader.op == "Identity" or (reader.op in _SUMS and index == 0):
            found = _follow(graph, symbols, consumers, reader, first, width)
        elif reader.op == "ConcatV2":
            found = _through_concat(graph, symbols, consumers, reader, index, first, width)
        else:
            found = _of_kernel(graph, reader, index, first, width)
        if found is None:
            return None
        total += found
    return total


def _through_concat(graph: Graph, symbols: Symbols, consumers: Mapping, concat: NodeDef, index: int,
                    first: int, width: int) -> np.ndarray | None:
    axis = graph.constant(concat.input[-1])
    before = [symbols.shape(tensor) for tensor in concat.input[:index]]
    widths = [shape[1] if shape is not None and len(shape) == 2 else None for shape in before]
    if axis is None or int(axis) not in (1, -1) or not all(isinstance(w, int) for w in widths):
        return None
    first += sum(w for w in widths if isinstance(w, int))
    return _follow(graph, symbols, consumers, concat, first, width)


def _of_kernel(graph: Graph, matmul: NodeDef, index: int, first: int,
               width: int) -> np.ndarray | None:
    transposed = matmul.attr["transpose_a"].b or matmul.attr["transpose_b"].b
    kernel = graph.weight(matmul.input[1]) if matmul.op == "MatMul" and index == 0 else None
    if kernel is None or transposed or kernel.row_count < first + width:
        return None
    rows = np.asarray(kernel.read(first, first + width), np.float64)
    return rows @ rows.T if np.isfinite(rows).all() else None
