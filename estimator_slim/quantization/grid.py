"""A grid of evenly spaced values for each row, and the way to codes and back.

A code stands for a value of the grid::

    value = float32(code) * scale            symmetric:  8 bits, int8 codes -127 … 127
    value = float32(code) * scale + offset   affine:     8 or 4 bits, uint8 codes 0 … 255 or 0 … 15

which is what the graph computes, in float32, one rounding a step (Jacob et al. 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
equation 1, with the real offset in place of the integer zero point: the values are never
multiplied as integers). Four bits always have an offset. A symmetric grid of 15 values has, for
256 bell-shaped values, 1.2 to 1.3 times the squared error, to save 4 bytes of 136.

What holds of a grid that was fitted to a row, for every finite row:

- 8 bits: |x - decode(encode(x))| <= scale / 2, and the rounding of float32 on top;
- symmetric: zero is code 0 and comes back as exactly zero;
- encode(decode(codes)) == codes for the codes that encode gave.

A table is worked on in pieces (`for_each_chunk`). Each step of the arithmetic (subtract, multiply,
round, clip, …) is one numpy call that reads and writes everything it is given. Over a whole table each
would go through main memory; over 128 Ki values (512 KiB of float32) at a time it finds its operands in
a 1 MiB L2 cache. Threads work on slices of the table, not on these pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

_VALUES = 1 << 17  # in a piece


class Grid(NamedTuple):
    """The grids of n rows; of the whole table where n is 1.

    scale:  float32 [n], positive and normal, so that 1 / scale is finite.
    offset: float32 [n], the value of code 0; None for a symmetric grid.
    """

    scale: np.ndarray
    offset: np.ndarray | None


def code_limits(bits: int, with_offset: bool) -> tuple[int, int]:
    """The smallest and the largest code: (-127, 127), (0, 255) or (0, 15).

    Raises ValueError for bits that are neither 8 nor 4, and for 4 bits without an offset.
    """
    if bits == 8:
        return (0, 255) if with_offset else (-127, 127)
    if bits != 4:
        raise ValueError(f"bits is {bits}, expected 8 or 4")
    if not with_offset:
        raise ValueError("4-bit codes need an offset: fit with with_offset=True")
    return 0, 15


def encode(rows: np.ndarray, scale: np.ndarray, offset: np.ndarray | None, bits: int) -> np.ndarray:
    """Codes of the nearest grid values; what lies beyond the grid gets the code of its end.

    rows: finite float32 [n, ...]; scale, offset: float32 [n], or [1] for one grid for all.
    Returns int8 (no offset) or uint8 codes of the same shape; 4-bit codes are one a byte here.
    Raises ValueError if there are neither n grids nor one.

        >>> encode(np.float32([[-1, 0.5, 1]]), np.float32([1 / 127]), None, bits=8)
        array([[-127,   64,  127]], dtype=int8)
    """
    limits = code_limits(bits, offset is not None)
    matrix = as_matrix(rows)
    if len(scale) not in (1, len(matrix)):
        raise ValueError(f"{len(scale)} scales for {len(matrix)} rows, expected one each or one")
    codes = np.empty(matrix.shape, np.int8 if offset is None else np.uint8)

    def encode_chunk(part: slice) -> None:
        codes[part] = nearest_codes(matrix[part], *part_of(Grid(scale, offset), part), limits)

    for_each_chunk(matrix, encode_chunk)
    return codes.reshape(rows.shape)


def decode(codes: np.ndarray, scale: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """The grid values of int8 or uint8 codes [n, ...], float32, bit for bit as the graph's.

    >>> decode(np.int8([[-127, 64]]), np.float32([0.25]), None)
    array([[-31.75,  16.  ]], dtype=float32)
    """
    column = (-1,) + (1,) * (codes.ndim - 1)
    values = np.multiply(codes, scale.reshape(column), dtype=np.float32)
    if offset is not None:
        values += offset.reshape(column)
    return values


def nearest_codes(
    rows: np.ndarray, scale: np.ndarray, offset: np.ndarray | None, limits: tuple[int, int]
) -> np.ndarray:
    """`encode` for one cache-sized piece [n, width], the codes still as whole float32 numbers.

    The offset is subtracted first: for rows far from zero that difference is exact, where
    x / scale - offset / scale would lose the digits in which the values differ.
    """
    inverse = (np.float32(1) / scale)[:, None]
    if offset is None:
        codes = rows * inverse
    else:
        codes = rows - offset[:, None]
        codes *= inverse
    np.rint(codes, out=codes)
    return np.clip(codes, np.float32(limits[0]), np.float32(limits[1]), out=codes)


def part_of(grid: Grid, part: slice) -> Grid:
    """The grids of some of the rows; a grid for the whole table stays as it is."""
    if len(grid.scale) == 1:
        return grid
    return Grid(grid.scale[part], None if grid.offset is None else grid.offset[part])


def as_matrix(rows: np.ndarray) -> np.ndarray:
    """Rows of any shape as [n, values per row]: float32 [n, a, b] → float32 [n, a * b], no copy.

    Raises TypeError for another dtype and ValueError for a scalar or for rows without values.
    """
    if rows.dtype != np.float32:
        raise TypeError(f"rows are {rows.dtype}, expected float32: cast them first")
    if rows.ndim == 0 or 0 in rows.shape[1:]:
        raise ValueError(f"rows have shape {list(rows.shape)}, expected [n, at least one value]")
    return rows.reshape(rows.shape[0], int(np.prod(rows.shape[1:])))


def chunks(matrix: np.ndarray) -> Iterator[slice]:
    """Slices of consecutive rows of [n, width], each about 128 Ki values and at least one row."""
    step = max(1, _VALUES // matrix.shape[1])
    for start in range(0, matrix.shape[0], step):
        yield slice(start, min(start + step, matrix.shape[0]))


def for_each_chunk(matrix: np.ndarray, work: Callable[[slice], None]) -> None:
    """Calls `work` for each of `chunks(matrix)`."""
    for part in chunks(matrix):
        work(part)
