"""Narrow tables: consecutive rows share a grid.

A grid costs 4 or 8 bytes. For a row of 256 that is little; a row of one value, as in a linear
model, would grow. So rows are taken together until a block has at least 64 values: table
[n, 2] → blocks of 32 rows → scale [ceil(n / 32)], and row r reads scale[r // 32]. The number of
rows in a block is a power of two, so that the division can be a shift. Fewer rows go together where
they are of different size (sharing.py).

Slices of a streamed table start at a multiple of rows_per_block; only the last slice may end
inside a block. Then a block never sees more than one slice, and the result is that of the
whole table.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from estimator_slim.quantization.chunks import as_matrix
from estimator_slim.quantization.fit import NonFiniteError, fit_rows, row_ranges
from estimator_slim.quantization.grid import Grid, decode, encode, part_of

VALUES_PER_BLOCK = 64


def rows_per_block(width: int) -> int:
    """The smallest power of two of rows with at least 64 values: 1 → 64, 3 → 32, 64 → 1.

    Raises ValueError for a width below 1.
    """
    if width < 1:
        raise ValueError(f"width is {width}, expected at least 1")
    needed = -(-VALUES_PER_BLOCK // width)
    return 1 << (needed - 1).bit_length()


def fit_blocks(rows: np.ndarray, per_block: int, bits: int, with_offset: bool) -> Grid:
    """The grid of each block of float32 [n, ...]: scale, offset [ceil(n / per_block)].

    Raises NonFiniteError with the first row that is not finite; if each row is finite and it is
    the range of a block that overflows, with the number of the block.
    """
    try:
        grids = [fit_rows(piece, bits, with_offset) for _, piece in _pieces(rows, per_block)]
    except NonFiniteError:
        row_ranges(as_matrix(rows))  # names the row; a block's range may overflow where no row does
        raise
    scale = np.concatenate([np.empty(0, np.float32)] + [grid.scale for grid in grids])
    if not with_offset:
        return Grid(scale, None)
    offsets = [grid.offset for grid in grids if grid.offset is not None]
    return Grid(scale, np.concatenate([np.empty(0, np.float32)] + offsets))


def encode_blocks(rows: np.ndarray, grid: Grid, per_block: int, bits: int) -> np.ndarray:
    """Codes of rows [n, ...], in the rows' own shape; see encode."""
    dtype = np.int8 if grid.offset is None else np.uint8
    codes = np.empty(rows.shape, dtype)
    for (blocks, piece), (_, target) in zip(_pieces(rows, per_block), _pieces(codes, per_block)):
        target[:] = encode(piece, *part_of(grid, blocks), bits=bits)
    return codes


def decode_blocks(codes: np.ndarray, grid: Grid, per_block: int) -> np.ndarray:
    """Values of codes [n, ...], bit for bit as a graph that gathers scale[row // per_block]."""
    block = np.arange(len(codes)) // per_block
    return decode(codes, grid.scale[block], None if grid.offset is None else grid.offset[block])


def _pieces(rows: np.ndarray, per_block: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Views with a block a row: all whole blocks as one matrix, then what is left as another."""
    whole = len(rows) // per_block
    flat = rows.reshape(len(rows), -1) if len(rows) else rows
    if whole:
        yield slice(0, whole), flat[: whole * per_block].reshape(whole, -1)
    if len(rows) > whole * per_block:
        yield slice(whole, whole + 1), flat[whole * per_block :].reshape(1, -1)
