"""The kernels that the rows of a table meet first, where nothing but sums lies between."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from estimator_slim.graph import Consumers, Graph, NodeDef, Symbols, attribute

_MOST_PLACES = 10_000  # that rows come by, each counted once for every way to it
_SUMS = tuple(f"SparseSegment{c}{n}" for c in ("Sum", "Mean", "SqrtN") for n in ("", "WithNumSegments"))


class NextLayers:
    """The layers that follow the tables of a graph, as it is now: edits that come later do not count."""

    def __init__(self, graph: Graph):
        self._graph = graph.copy()
        self._symbols, self._consumers = Symbols(self._graph), Consumers(self._graph)

    def importance(self, lookups: Iterable[NodeDef], width: int) -> np.ndarray | None:
        """The sum of k @ k.T over the kernels k that looked-up rows are added up and multiplied by.

            GatherV2 ─ SparseSegmentMean ─ ConcatV2 ─ MatMul(kernel)      k: the table's rows of kernel

        Returns:
          float64 [width, width], or None where anything else reads the rows on their way, or where
          there are more ways than can be followed.
        """
        total = np.zeros((width, width))
        todo = [(lookup.name, 0) for lookup in lookups]
        for _ in range(_MOST_PLACES):
            if not todo:
                return total
            name, first = todo.pop()
            read = self._consumers.of(name)
            is_waited_for = self._consumers.waiting_for(name)
            if not read or is_waited_for or name in self._graph.interface.outputs():
                return None
            for consumer, index in read:
                found = self._through(consumer, index)
                if found is not None:
                    todo.append((consumer.name, first + found))
                    continue
                weighing = _of_kernel(self._graph, consumer, index, first, width)
                if weighing is None:
                    return None
                total += weighing
        return None

    def _through(self, node: NodeDef, index: int) -> int | None:
        """The column at which input `index` begins in the output of `node`, where it passes it on."""
        if node.op == "Identity" or (node.op in _SUMS and index == 0):
            return 0
        axis = self._graph.constant(node.input[-1]) if node.op == "ConcatV2" else None
        if axis is None or int(axis) not in (1, -1):
            return None
        before = [self._symbols.shape(tensor) for tensor in node.input[:index]]
        widths = [shape[1] if shape is not None and len(shape) == 2 else None for shape in before]
        known = [width for width in widths if isinstance(width, int)]
        return sum(known) if len(known) == len(widths) else None


def _of_kernel(graph: Graph, matmul: NodeDef, index: int, first: int,
               width: int) -> np.ndarray | None:
    transposed = attribute(matmul, "transpose_a").b or attribute(matmul, "transpose_b").b
    kernel = graph.weight(matmul.input[1]) if matmul.op == "MatMul" and index == 0 else None
    if kernel is None or transposed or kernel.row_count < first + width:
        return None
    rows = np.asarray(kernel.read(first, first + width), np.float64)
    return rows @ rows.T if np.isfinite(rows).all() else None
