"""Narrow tables: consecutive rows share a grid.

A grid costs 4 or 8 bytes. For a row of 256 that is little; a row of one value, as in a linear
model, would grow. So rows are taken together until a block has at least 64 values: table
[n, 2] → blocks of 32 rows → scale [ceil(n / 32)], and row r reads scale[r // 32]. The number of
rows in a block is a power of two, so that the division can be a shift.

Fewer rows go together where they are of different size. A row beside a much larger one is rounded to the
other's steps: beside [127, 64] the steps are 1, and [0.4, 0.3] becomes [0, 0]. So blocks are halved
until the rounding costs the rows little (`Sharing`), measured for each against the row itself, since a
model may normalize what it looks up. Rows of one value share a grid whatever they are: such a row has no
size but that value, and every table of numbers around zero has some that are next to nothing.

Slices of a streamed table start at a multiple of rows_per_block; only the last slice may end
inside a block. Then a block never sees more than one slice, and the result is that of the
whole table.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from estimator_slim.quantization.fit import NonFiniteError, fit_rows, row_ranges
from estimator_slim.quantization.grid import Grid, as_matrix, decode, encode, for_each_chunk, part_of

VALUES_PER_BLOCK = 64

# What rounding to 8 bits may cost: its noise as a share of a row's power (1 where the row is lost), the
# mean over all rows. Bell-shaped values have 4e-4 in blocks of two columns, 1e-4 of three, 4e-5 of
# sixteen; 1e-3 are 30 dB.
_MOST_NOISE = 5e-4
_STEPS = 254


def rows_per_block(width: int) -> int:
    """The smallest power of two of rows with at least 64 values: 1 → 64, 3 → 32, 64 → 1.

    Raises ValueError for a width below 1.
    """
    if width < 1:
        raise ValueError(f"width is {width}, expected at least 1")
    needed = -(-VALUES_PER_BLOCK // width)
    return 1 << (needed - 1).bit_length()


class Sharing:
    """What blocks of each size would cost, gathered while the slices of a table go by.

    Every slice but the last holds whole blocks of the largest size. Call `per_block` at the end.

        >>> sharing = Sharing(width=16)
        >>> sharing.update(np.float32([[1] * 16, [1e9] * 16] * 10))
        >>> sharing.per_block()
        1
    """

    def __init__(self, width: int) -> None:
        most = rows_per_block(width)
        self._sizes = [most >> n for n in range(most.bit_length())] if width > 1 else [most]
        self._noise = np.zeros(len(self._sizes))
        self._rows = 0

    @property
    def is_settled(self) -> bool:
        """True where the answer is the same whatever the table, so that none has to be looked at."""
        return len(self._sizes) == 1

    def update(self, rows: np.ndarray) -> None:
        """Takes in float [n, width]; rows of zeros do not count, they are nowhere lost."""
        magnitude, power = _sizes_of(rows)
        counted = power > 0
        self._rows += int(counted.sum())
        for index, size in enumerate(self._sizes):
            starts = np.arange(0, len(magnitude), size)
            largest = np.maximum.reduceat(magnitude, starts) if len(starts) else magnitude
            step = (2 / _STEPS * largest)[np.arange(len(magnitude)) // size][counted]
            with np.errstate(over="ignore", invalid="ignore"):  # NaN is refused by the fit
                self._noise[index] += np.minimum(step**2 / 12 / power[counted], 1).sum()

    def per_block(self) -> int:
        """The largest power of two of rows whose sharing costs little."""
        little = self._noise <= _MOST_NOISE * self._rows
        return self._sizes[int(np.argmax(little))] if little.any() else self._sizes[-1]


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


def decode_blocks(codes: np.ndarray, grid: Grid, per_block: int, first: int = 0) -> np.ndarray:
    """Values of codes [n, ...], bit for bit as a graph that gathers scale[row // per_block].

    `first`: the row of the whole weight that the codes begin with.
    """
    block = np.arange(first, first + len(codes)) // per_block
    return decode(codes, grid.scale[block], None if grid.offset is None else grid.offset[block])


def _pieces(rows: np.ndarray, per_block: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Views with a block a row: all whole blocks as one matrix, then what is left as another."""
    whole = len(rows) // per_block
    flat = rows.reshape(len(rows), -1) if len(rows) else rows
    if whole:
        yield slice(0, whole), flat[: whole * per_block].reshape(whole, -1)
    if len(rows) > whole * per_block:
        yield slice(whole, whole + 1), flat[whole * per_block :].reshape(1, -1)


def _sizes_of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest magnitude and the mean square of each row, float64 [n]."""
    magnitude, power = np.empty(len(rows)), np.empty(len(rows))

    def measure(part: slice) -> None:
        values = rows[part].astype(np.float64)
        magnitude[part] = np.maximum(-values.min(axis=1), values.max(axis=1))
        power[part] = np.einsum("ij,ij->i", values, values) / values.shape[1]

    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for_each_chunk(rows, measure)
    return magnitude, power
