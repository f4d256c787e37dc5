"""How one weight is coded: fitted slice by slice, encoded slice by slice when it is written.

The grids (scales, offsets) are all that is held in memory; the codes are a Weight of their own whose
rows are computed from the original's rows whenever they are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from estimator_slim.graph import Weight, computed_ahead
from estimator_slim.log import tracked
from estimator_slim.quantization import (
    VALUES_PER_BLOCK,
    Feedback,
    Grid,
    NonFiniteError,
    PrecisionError,
    Sharing,
    TableRange,
    encode,
    encode_blocks,
    encode_with_feedback,
    fit_blocks,
    fit_rows,
    gains_from_offset,
    has_least_scale,
    pack_nibbles,
    packed_width,
    require_float16,
    require_precision,
    rows_per_block,
    to_float16,
)

WHOLE_TABLE = 0
_READ_BYTES = 1 << 20  # of rows that are encoded at once
_SAMPLES, _SAMPLE_ROWS = 16, 256


@dataclass(frozen=True)
class Coding:
    """The codes of a weight [n, ...] and what turns them back.

    Attributes:
      weight: the original.
      bits: 8, 4 or 16.
      grid: scale and offset of each row, block or the table; None for 16 bits.
      per_block: rows that share a grid; 0 if all do.
      passing_on: how rounding errors are passed on to the next layer's advantage, where it is known.
    """

    weight: Weight
    bits: int
    grid: Grid | None
    per_block: int
    passing_on: Feedback | None = None

    @property
    def codes(self) -> Weight:
        """The codes, in the shape of the weight; of 4 bits, two to a byte along the last axis."""
        dtype = {16: tf.float16, 4: tf.uint8}.get(self.bits, tf.uint8 if self.has_offset else tf.int8)
        shape = self.weight.shape
        if self.bits == 4:
            shape = (*shape[:-1], packed_width(shape[-1]))
        return Weight(dtype, shape, self._read_codes, origin=self.weight.origin)

    @property
    def has_offset(self) -> bool:
        return self.grid is not None and self.grid.offset is not None

    def column(self, values: np.ndarray) -> Weight:
        """Scales or offsets as a weight that multiplies with decoded codes: [n, 1, ...]."""
        shape = () if self.per_block == WHOLE_TABLE else (-1,) + (1,) * (len(self.weight.shape) - 1)
        return Weight.of_array(values.reshape(shape), self.weight.origin)

    def _read_codes(self, start: int, stop: int) -> np.ndarray:
        """Rows start..stop of `codes`, worked out a megabyte of the original at a time."""
        shape = self.codes.shape[1:]
        codes = np.empty((stop - start, *shape), self.codes.dtype.as_numpy_dtype)
        step = self.weight.rows_within(_READ_BYTES, max(1, self.per_block))
        for at in range(start, stop, step):
            end = min(at + step, stop)
            codes[at - start:end - start] = self._some_codes(at, end)
        return codes

    def _some_codes(self, start: int, stop: int) -> np.ndarray:
        first = start // self.per_block * self.per_block if self.per_block else start
        rows = _matrix(self.weight.read(first, stop))
        if self.grid is None:
            codes = to_float16(rows)
        elif self.passing_on is not None:
            codes = encode_with_feedback(rows, _grids(self.grid, first, stop, 1), 15, self.passing_on)
        elif self.per_block == WHOLE_TABLE:
            codes = encode(rows, *self.grid, bits=self.bits)
        else:
            codes = encode_blocks(rows, _grids(self.grid, first, stop, self.per_block),
                                  self.per_block, self.bits)
        codes = codes[start - first:].reshape(stop - start, *self.weight.shape[1:])
        return pack_nibbles(codes) if self.bits == 4 else codes


def fit_coding(weight: Weight, *, bits: int, granularity: str) -> Coding:
    """Fits the coding of a float weight [n, ...] in one pass over its rows, two where they are narrow.

    Rows of fewer than 64 values share a grid with neighbours of about their size. A width of 1 is coded
    with 8 bits where 4 were asked for: two codes of a row make a byte, and there is only one.

    Raises:
      NonFiniteError: a value is NaN or infinite, or does not fit float16 where bits is 16.
      PrecisionError: float32, or float16 where bits is 16, does not tell the values of a row apart.
    """
    if bits == 4 and weight.shape[-1] == 1:
        bits = 8
    if bits == 16:
        for start, rows in _slices(weight):
            with _counted_from(start):
                require_float16(_matrix(rows))
                require_precision(_flat(rows), bits)
        return Coding(weight, 16, None, 1)
    per_block = WHOLE_TABLE if granularity == "table" else _rows_per_block(weight)
    with_offset = bits == 4 or _gains_from_offset(weight, per_block, bits)
    if per_block == WHOLE_TABLE:
        return Coding(weight, bits, _fit_table(weight, bits, with_offset), WHOLE_TABLE)
    slices = tracked(f"fitting {weight.origin}", weight.byte_count, _slices(weight))
    grids = list(computed_ahead(
        lambda one: _fit_slice(one[1], one[0], per_block, bits, with_offset), slices))
    scale = np.concatenate([g.scale for g in grids])
    offset = np.concatenate([g.offset for g in grids]) if with_offset else None
    return Coding(weight, bits, Grid(scale, offset), per_block)


def _gains_from_offset(weight: Weight, per_block: int, bits: int) -> bool:
    try:
        return gains_from_offset(_sample(weight, per_block), bits)
    except NonFiniteError:
        return False  # the pass over all rows will say which row it is, if it is not just a wide range


def _rows_per_block(weight: Weight) -> int:
    sharing = Sharing(math.prod(weight.shape[1:]))
    if not sharing.is_settled:
        for _, rows in _slices(weight):
            sharing.update(_flat(rows))
    return sharing.per_block()


def _fit_table(weight: Weight, bits: int, with_offset: bool) -> Grid:
    seen = TableRange()
    for start, rows in tracked(f"fitting {weight.origin}", weight.byte_count, _slices(weight)):
        with _counted_from(start):
            seen.update(_matrix(rows))
    grid = seen.grid(bits, with_offset)
    if weight.dtype == tf.float64 or has_least_scale(grid):
        for start, rows in _slices(weight):
            with _counted_from(start):
                require_precision(_flat(rows), bits)
    return grid


def _fit_slice(rows: np.ndarray, start: int, per_block: int, bits: int, with_offset: bool) -> Grid:
    fit_some = fit_rows if per_block == 1 else partial(fit_blocks, per_block=per_block)
    flat = _flat(rows)
    with _counted_from(start):
        grid = fit_some(_matrix(rows), bits=bits, with_offset=with_offset)
        if rows.dtype == np.float64 or flat.shape[1] < VALUES_PER_BLOCK or has_least_scale(grid):
            require_precision(flat, bits)
    return grid


@contextmanager
def _counted_from(start: int) -> Iterator[None]:
    """Lets errors name the row of the weight, where the block counts from row `start`, its slice's."""
    try:
        yield
    except NonFiniteError as e:
        raise NonFiniteError(start + e.row, e.low, e.high) from e
    except PrecisionError as e:
        raise PrecisionError(start + e.row, e.low, e.high, e.kept, e.steps, e.format) from e


def _slices(weight: Weight) -> Iterator[tuple[int, np.ndarray]]:
    """Slices of whole blocks, however many rows a block will have."""
    return weight.slices(multiple=rows_per_block(math.prod(weight.shape[1:])))


def _grids(grid: Grid, first: int, stop: int, per_block: int) -> Grid:
    blocks = slice(first // per_block, -(-stop // per_block))
    return Grid(grid.scale[blocks], None if grid.offset is None else grid.offset[blocks])


def _matrix(rows: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # to infinity, which no grid takes
        return _flat(np.asarray(rows, np.float32))


def _flat(rows: np.ndarray) -> np.ndarray:
    return rows.reshape(len(rows), math.prod(rows.shape[1:]))


def _sample(weight: Weight, per_block: int) -> np.ndarray:
    """Rows (or whole blocks as rows) from all over the weight."""
    per_row = max(1, per_block)
    runs = weight.spread(_SAMPLES, _SAMPLE_ROWS * per_row, per_row)
    rows = [_matrix(weight.read(*run)) for run in runs]
    whole = [r[:len(r) // per_row * per_row].reshape(-1, per_row * r.shape[1]) for r in rows]
    return np.concatenate(whole) if sum(map(len, whole)) else rows[0].reshape(1, -1)
