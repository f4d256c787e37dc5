"""The kernels that the rows of a table meet first, with nothing but sums and weights of rows between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from estimator_slim.graph import (
    Consumers,
    Graph,
    NodeDef,
    Symbols,
    Weight,
    attribute,
    gathers_rows,
    names,
)

_MOST_PLACES = 10_000  # that rows come by, each counted once for every way to it
_SUMS = (*(f"SparseSegment{c}{n}" for c in ("Sum", "Mean", "SqrtN") for n in ("", "WithNumSegments")),
         "SegmentSum", "SegmentMean", "UnsortedSegmentSum")
_REDUCTIONS = ("Sum", "Mean")
_QUOTIENTS = ("DivNoNan", "RealDiv", "Div")


@dataclass(frozen=True)
class Place:
    """Rows first … first + width of the kernel of a MatMul, which a table's rows are multiplied by."""

    matmul: str
    first: int


@dataclass
class Reached:
    """Where the rows of a table come to.

    Attributes:
      places: all kernels that they are multiplied by.
      flattened: Reshape → how many rows side by side it makes one.
      reshaped: Reshapes that leave each row as it is.
      shapes: nodes that tell the shape of rows.
      tiled: choices between rows by a condition that was repeated for each column.
      passed: all nodes that the rows come by, and those like them in shape.
      needed: nodes that have to be among these.
    """

    places: list[Place] = field(default_factory=list)
    flattened: dict[str, int] = field(default_factory=dict)
    reshaped: set[str] = field(default_factory=set)
    shapes: set[str] = field(default_factory=set)
    tiled: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    needed: set[str] = field(default_factory=set)


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
        reached = self.reached(lookups, width)
        if reached is None:
            return None
        return sum((k @ k.T for k in self.kernels(reached, width)), np.zeros((width, width)))

    def reached(self, lookups: Iterable[NodeDef], width: int) -> Reached | None:
        """The kernels that rows of this width are multiplied by, or None as of `importance`."""
        found = Reached()
        todo: list[tuple[str, tuple[int, ...]]] = [(lookup.name, (0,)) for lookup in lookups]
        done = set()
        for _ in range(_MOST_PLACES):
            if not todo:
                return found if found.needed <= found.passed and found.places else None
            name, starts = one = todo.pop()
            if one in done:
                continue
            done.add(one)
            found.passed.add(name)
            if name in self._graph.interface.outputs():
                return None
            for consumer, index in self._consumers.of(name):
                passed = self._passed(consumer, index, starts, width, found)
                if consumer.op == "Shape" and starts == (0,) and self._columns(name) == width:
                    found.shapes.add(consumer.name)
                elif passed is not None:
                    todo.append((consumer.name, passed))
                elif self._is_kernel(consumer, index, starts, width):
                    found.places += [Place(consumer.name, start) for start in starts]
                else:
                    return None
        return None

    def kernels(self, reached: Reached, width: int) -> list[np.ndarray]:
        """The table's rows of each kernel: float64 [width, its columns]."""
        return [np.asarray(self._kernel(place).read(place.first, place.first + width), np.float64)
                for place in reached.places]

    def _kernel(self, place: Place) -> Weight:
        found = self._graph.weight(self._graph.nodes[place.matmul].input[1])
        assert found is not None  # `reached` has seen it
        return found

    def _is_kernel(self, matmul: NodeDef, index: int, starts: tuple[int, ...], width: int) -> bool:
        transposed = attribute(matmul, "transpose_a").b or attribute(matmul, "transpose_b").b
        kernel = self._graph.weight(matmul.input[1]) if matmul.op == "MatMul" and index == 0 else None
        if kernel is None or transposed or kernel.row_count < max(starts) + width:
            return False
        return all(np.isfinite(rows).all() for _, rows in kernel.slices())

    def _passed(self, node: NodeDef, index: int, starts: tuple[int, ...], width: int,
                found: Reached) -> tuple[int, ...] | None:
        """The columns at which rows begin in the output of `node`, where it passes them on."""
        if node.op in ("Identity", "ZerosLike") or (node.op in _SUMS and index == 0):
            return starts
        if self._weighs(node, index) or (index == 0 and gathers_rows(self._graph, node)):
            return starts
        if node.op in ("Select", "SelectV2") and index and starts == (0,):
            return starts if self._chooses_rows(node, width, found) else None
        if node.op in _REDUCTIONS and index == 0:
            return starts if self._adds_rows_up(node) else None
        if node.op == "Transpose" and index == 0:
            return starts if self._moves_whole_rows(node) else None
        if node.op == "Reshape" and index == 0 and starts == (0,):
            if self._columns(node.input[0]) == width == self._columns(node.name):
                found.reshaped.add(node.name)
                return starts
            count = self._flattens(node, width)
            if count:
                found.flattened[node.name] = count
                return tuple(range(0, count * width, width))
        before = self._before(node, index)
        return None if before is None else tuple(before + start for start in starts)

    def _columns(self, tensor: str) -> object:
        """The last dimension of a tensor, where it is known."""
        shape = self._symbols.shape(tensor)
        return shape[-1] if shape else None

    def _weighs(self, node: NodeDef, index: int) -> bool:
        """True for a product with a number, or with one for each row, or a quotient by such."""
        if node.op != "Mul" and (node.op not in _QUOTIENTS or index):
            return False
        rows, weights = (self._symbols.shape(node.input[at]) for at in (index, 1 - index))
        if rows is None or weights is None:
            return False
        return not weights or (weights[-1] == 1 and len(rows) == len(weights))

    def _chooses_rows(self, node: NodeDef, width: int, found: Reached) -> bool:
        """True for a choice, row by row, between rows and others that become as narrow.

            Select(Tile(is empty [n, 1], [1, width]), ZerosLike(rows), rows)
        """
        condition = self._graph.producer(node.input[0])
        rows, chosen = self._symbols.shape(node.name), self._symbols.shape(node.input[0])
        found.needed |= {names.node_of(tensor) for tensor in node.input[1:3]}
        if rows is None or chosen is None or len(rows) != 2 or rows[1] != width:
            return False
        if condition.op == "Tile":
            found.tiled.add(node.name)
            times = self._symbols.value(condition.input[1])
            return times is not None and times[0] == 1 and self._columns(condition.input[0]) == 1
        return chosen == ((rows[0], 1) if node.op == "SelectV2" else rows[:1])

    def _moves_whole_rows(self, transpose: NodeDef) -> bool:
        order = self._graph.constant(transpose.input[1])
        return order is not None and order.tolist()[-1:] == [order.size - 1]

    def _adds_rows_up(self, node: NodeDef) -> bool:
        """True for a sum along axes of which none is the last one."""
        shape, axes = self._symbols.shape(node.input[0]), self._graph.constant(node.input[1])
        if shape is None or axes is None:
            return False
        return all(axis % len(shape) not in (0, len(shape) - 1) for axis in np.ravel(axes).tolist())

    def _flattens(self, node: NodeDef, width: int) -> int | None:
        """How many rows one row of a Reshape is made of: [batch, n, width] → [batch, n * width]."""
        shape, target = self._symbols.shape(node.input[0]), self._graph.constant(node.input[1])
        if shape is None or len(shape) != 3 or target is None or shape[2] != width:
            return None
        count = shape[1]
        is_flat = isinstance(count, int) and count > 0 and target.tolist() == [-1, count * width]
        return count if is_flat and isinstance(count, int) else None

    def _before(self, node: NodeDef, index: int) -> int | None:
        """The columns before input `index` of a ConcatV2 along the second of two axes."""
        axis = self._graph.constant(node.input[-1]) if node.op == "ConcatV2" else None
        if axis is None or int(axis) not in (1, -1):
            return None
        widths = list(self._widths(node.input[:index]))
        known = [width for width in widths if isinstance(width, int)]
        return sum(known) if len(known) == len(widths) else None

    def _widths(self, tensors: Iterable[str]) -> Iterator[object]:
        for shape in (self._symbols.shape(names.canonical(tensor)) for tensor in tensors):
            yield shape[1] if shape is not None and len(shape) == 2 else None
