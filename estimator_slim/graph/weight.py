"""A weight: a tensor known by shape and type, whose rows are read only when somebody asks.

This is what lets a 4 GB table go through the pipeline in slices: the graph names it, the checkpoint
holds it, and a transform that changes it (quantizes it, say) wraps the function that reads its rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from estimator_slim.graph.ahead import computed_ahead

SLICE_BYTES = 2 << 20  # some of these are in memory at once, see ahead.py
_SPREAD_BYTES = 4 << 20
CONSTANT_BYTES = 1 << 18  # up to this size a weight is a Const, unless a person places it otherwise


@dataclass(frozen=True)
class Stored:
    """How a weight lies on disk where that is not as its value: in parts, and by what they are joined.

        kernel float32 [a, b] → codes int8 [a, b], scale float32 [a, 1]; `decode` adds Cast and Mul

    Attributes:
      parts: name suffix → the weight to write under `<name>/<suffix>`.
      decode: given a graph to add nodes to, a node name prefix and the restored parts' tensor names
        by suffix, adds the decoding nodes and returns the tensor name of the weight's value. They run
        once, inside the restore op, so that only the decoded value stays in memory.
    """

    parts: dict[str, Weight]
    decode: Callable[..., str]


@dataclass(frozen=True)
class Training:
    """What training left of each row of a weight [n, ...], as the training checkpoint tells it.

    Attributes:
      trained: `trained(start, stop)` → bool [stop - start]: False for rows that hold what they started
        from, and where that is certain to be nothing anybody put there: random numbers or one constant.
      importance: `importance(start, stop)` → float32 [stop - start], how much rows count: the mean of
        a row's sums of squared gradients; None where the optimizer keeps no such sums.
      unknown: why it is not known which rows were trained; `` where it is. Then all count as trained.
    """

    trained: Callable[[int, int], np.ndarray]
    importance: Callable[[int, int], np.ndarray] | None = None
    unknown: str = ""

    @staticmethod
    def not_known(why: str) -> Training:
        """Of a weight of which nothing may go."""
        return Training(lambda start, stop: np.ones(stop - start, bool), unknown=why)


@dataclass(frozen=True)
class Weight:
    """A tensor by reference.

    Attributes:
      dtype: of its values.
      shape: static; `()` for a scalar.
      read: `read(start, stop)` → rows start..stop of the first axis, an array of shape
        [stop - start, *shape[1:]]; a scalar is read as rows 0..1 of shape [1].
      rows_at: of a stored tensor of numbers, `rows_at(places)` → rows at these places, int [n], in their
        order; None for any other weight.
      stored: the form on disk, where that differs from the value.
      mutable: requests may change it, so the value is only where it starts.
      by_handle: loops or branches read it by its handle, so it stays a variable; it never changes.
      kept: it stays a variable, since TensorFlow would make another model of it, were it a constant.
      origin: where the values come from, for messages and the report.
      training: what training left of its rows; None: nobody looked into a training checkpoint.
      bytes_before: of what it was before rows or columns were left out; 0: none were.
    """

    dtype: tf.DType
    shape: tuple[int, ...]
    read: Callable[[int, int], np.ndarray]
    rows_at: Callable[[np.ndarray], np.ndarray] | None = None
    stored: Stored | None = None
    mutable: bool = False
    by_handle: bool = False
    kept: bool = False
    origin: str = ""
    training: Training | None = None
    bytes_before: int = 0

    @staticmethod
    def of_array(value: np.ndarray, origin: str = "") -> Weight:
        """The weight of a value that is in memory already."""
        rows = value.reshape((1,) if value.ndim == 0 else value.shape)
        return Weight(tf.dtypes.as_dtype(value.dtype), tuple(value.shape),
                      lambda start, stop: rows[start:stop], origin=origin)

    def parts(self) -> list[Weight]:
        """What lies on disk of it."""
        return list(self.stored.parts.values()) if self.stored else [self]

    @property
    def stays_variable(self) -> bool:
        """True if nothing may put a constant, or another weight, in the place of its variable."""
        return self.mutable or self.by_handle or self.kept

    @property
    def row_count(self) -> int:
        return self.shape[0] if self.shape else 1

    @property
    def value_count(self) -> int:
        return math.prod(self.shape)

    @property
    def byte_count(self) -> int:
        """Bytes of the value in memory (a string counts as 16)."""
        return self.value_count * (self.dtype.size if self.dtype != tf.string else 16)

    def rows_within(self, byte_count: int, multiple: int = 1) -> int:
        """How many rows take about so many bytes: a multiple of `multiple`, and at least that."""
        row_bytes = max(1, self.byte_count // max(1, self.row_count))
        return max(multiple, byte_count // row_bytes // multiple * multiple)

    def slices(self, multiple: int = 1) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, rows) over the whole weight, each of about SLICE_BYTES, read ahead in threads.

        Every slice but the last has a number of rows that `multiple` divides.
        """
        step = self.rows_within(SLICE_BYTES, multiple)
        return computed_ahead(lambda start: (start, self.read(start, min(start + step, self.row_count))),
                              range(0, self.row_count, step))

    def spread(self, places: int, rows: int, multiple: int = 1) -> list[tuple[int, int]]:
        """(start, stop) of runs of rows from all over the weight, to judge the whole by; none overlap.

        Args:
          places: how many runs at most.
          rows: how many rows in a run; fewer where all runs together would take more than 4 MB.
          multiple: what each start is a multiple of.
        """
        row_bytes = max(1, self.byte_count // max(1, self.row_count))
        count = max(1, min(rows, _SPREAD_BYTES // places // row_bytes) // multiple) * multiple
        if self.row_count <= places * count:
            return [(0, self.row_count)]
        starts = np.linspace(0, self.row_count - count, places).astype(int) // multiple * multiple
        return [(int(start), int(start) + count) for start in starts]

    def matrix(self) -> Weight:
        """The same values as rows of the last axis: [a, b, c] → [a * b, c]."""
        inner = math.prod(self.shape[1:-1])
        if inner == 1:
            return self

        def read(start: int, stop: int) -> np.ndarray:
            first = start // inner
            rows = self.read(first, -(-stop // inner)).reshape(-1, self.shape[-1])
            return rows[start - first * inner:stop - first * inner]

        return Weight(self.dtype, (self.row_count * inner, self.shape[-1]), read,
                      origin=self.origin)

    def value(self) -> np.ndarray:
        """All of it, in memory: for small weights."""
        return self.read(0, self.row_count).reshape(self.shape)
