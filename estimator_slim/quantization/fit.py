"""Fit grids to values: one grid for each row, or one for a whole table.

For a row, eight bits take the range of its values as it is: none is clipped, so none is off by more
than half a step. Four bits start from there and search for less squared error (search.py).

One grid for a whole table (`TableRange`), fitted while its slices go by, is cheaper in the graph (the
scale is a constant, nothing to gather) and coarser: the largest value anywhere in the table sets the
step for all rows. It takes the range as it is for 4 bits too. A search for a clipped range would need a
histogram, hence another pass over the table, for a choice that a grid for each row beats anyway.

Is an offset for each row worth its four bytes (`gains_from_offset`)? One more bit a value cuts the
squared error by four (Bennett 1948, "Spectra of quantized signals": the error of a fine uniform grid is
step² / 12). Four bytes for a row of `width` values are 32 / width bits a value, and spent as bits they
would cut the error 4 ** (32 / width) times. So that is the least an offset must achieve; and never less
than twice, since it also costs the graph a gather and an addition. Rows of 256 values: twice. Rows of
16: sixteen times.

Values around zero gain nothing (1.0 to 1.3 times); values on one side of zero, as after a relu,
use half of a symmetric grid and gain four times.
"""

from __future__ import annotations

import numpy as np

from estimator_slim.errors import EstimatorSlimError
from estimator_slim.quantization.grid import Grid, as_matrix, code_limits, decode, encode, for_each_chunk
from estimator_slim.quantization.search import refine

_SMALLEST_NORMAL = np.finfo(np.float32).tiny
# The distance to the next float is defined up to here: above the largest there is none.
_NEXT_TO_LARGEST = np.nextafter(np.finfo(np.float32).max, np.float32(0))

_LEAST_GAIN = 2.0   # times less squared error, for an offset to be worth its bytes
_OFFSET_BITS = 32


class NonFiniteError(EstimatorSlimError, ValueError):
    """A row that no grid fits: it holds NaN or infinity, or its range is beyond float32.

    row: its index among the rows that were handed in; low, high: its smallest and largest value.
    """

    def __init__(self, row: int, low: float, high: float) -> None:
        self.row, self.low, self.high = row, low, high
        super().__init__(
            f"row {row} reaches from {low:g} to {high:g}, expected finite values with a range "
            "that float32 can hold: leave this weight as it is"
        )


def fit_rows(rows: np.ndarray, bits: int, with_offset: bool) -> Grid:
    """The grid of each row of float32 [n, ...]: scale [n] and offset [n] or None.

    A row's grid depends on that row alone, not on how the table was cut into slices.
    Raises NonFiniteError for the first row that has no grid.

        >>> fit_rows(np.float32([[0, -127], [0, 0]]), bits=8, with_offset=False).scale
        array([1.0000000e+00, 1.1754944e-38], dtype=float32)
    """
    matrix = as_matrix(rows)
    grid = grid_of_range(*row_ranges(matrix), bits=bits, with_offset=with_offset)
    if bits == 4 and grid.offset is not None:
        scale, offset = grid.scale, grid.offset

        def search(part: slice) -> None:
            scale[part], offset[part] = refine(matrix[part], scale[part], offset[part])

        for_each_chunk(matrix, search)
    return grid


class TableRange:
    """The running minimum and maximum of the slices seen so far.

    The order and the size of the slices make no difference.

        >>> seen = TableRange()
        >>> seen.update(np.float32([[1, 2], [3, 4]]))
        >>> seen.update(np.float32([[-254, 0]]))
        >>> seen.grid(bits=8, with_offset=False).scale
        array([2.], dtype=float32)
    """

    def __init__(self) -> None:
        self._low = np.float32(np.inf)
        self._high = np.float32(-np.inf)

    def update(self, rows: np.ndarray) -> None:
        """Take in float32 [n, ...]. Raises NonFiniteError with the row within this slice."""
        low = np.min(rows, initial=self._low)
        high = np.max(rows, initial=self._high)
        if not (np.isfinite(low) and np.isfinite(high)) and rows.size:
            row_ranges(as_matrix(rows))  # names the row
        self._low, self._high = low, high

    def grid(self, bits: int, with_offset: bool) -> Grid:
        """The grid of all values seen: scale [1], offset [1] or None.

        Raises ValueError if no value was seen and NonFiniteError (row 0) if the range of the
        table is beyond float32.
        """
        if self._low > self._high:
            raise ValueError("no row was seen, expected update() before grid()")
        return grid_of_range(np.array([self._low]), np.array([self._high]), bits, with_offset)


def gains_from_offset(sample: np.ndarray, bits: int) -> bool:
    """Whether rows like these float32 [n, ...] should have an offset each.

    Always true of 4 bits, which cannot do without one. For narrow tables hand in blocks, not
    rows. Raises NonFiniteError for a row that has no grid.
    """
    width = as_matrix(sample).shape[1]
    if bits == 4:
        return True
    least = max(_LEAST_GAIN, 4.0 ** (_OFFSET_BITS / width))
    return _error(sample, bits, False) > least * _error(sample, bits, True)


def has_least_scale(grid: Grid) -> bool:
    """True if a scale was raised to the smallest normal number: that of a row of zeros or denormals."""
    return bool((grid.scale <= _SMALLEST_NORMAL).any())


def row_ranges(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and largest value of each row of [n, width]: two float32 [n].

    Minimum and maximum of a row with a NaN are NaN, so to look at them is to look at every value.
    Raises NonFiniteError for the first row with a NaN or an infinity.
    """
    low, high = (np.empty(len(matrix), np.float32) for _ in range(2))

    def measure(part: slice) -> None:
        np.min(matrix[part], axis=1, out=low[part])
        np.max(matrix[part], axis=1, out=high[part])

    for_each_chunk(matrix, measure)
    _refuse(~(np.isfinite(low) & np.isfinite(high)), low, high)
    return low, high


def grid_of_range(low: np.ndarray, high: np.ndarray, bits: int, with_offset: bool) -> Grid:
    """The grids that reach exactly from low to high, both finite float32 [n].

    Symmetric: from -m to m, where m is the larger magnitude. Raises NonFiniteError where
    high - low overflows; without an offset any finite range will do.
    """
    first, last = code_limits(bits, with_offset)
    magnitude = np.maximum(np.abs(low), np.abs(high))
    if not with_offset:
        return Grid(_scale(magnitude, last, np.zeros_like(low), magnitude), None)
    with np.errstate(over="ignore"):
        span = high - low
    _refuse(np.isinf(span), low, high)
    return Grid(_scale(span, last - first, low, magnitude), low.copy())


def _scale(span: np.ndarray, steps: int, start: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """span / steps, kept where start + code * scale behaves: float32 [n].

    At least the smallest normal number (constant rows decode exactly, nothing divides by zero,
    TensorFlow does not flush it to zero); at least the distance of neighbouring floats at the
    row's magnitude (codes stay distinct); and start + steps * scale is finite.
    """
    with np.errstate(over="ignore"):
        neighbour = np.spacing(np.minimum(magnitude, _NEXT_TO_LARGEST))
        least = np.maximum(neighbour, _SMALLEST_NORMAL)
        scale = np.maximum(span / np.float32(steps), least)
        overflows = np.isinf(start + np.float32(steps) * scale)
    return np.where(overflows, scale * np.float32(1 - 2**-20), scale)


def _refuse(bad: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise NonFiniteError(row, float(low[row]), float(high[row]))


def _error(sample: np.ndarray, bits: int, with_offset: bool) -> float:
    """The sum of squared errors, in float64, of encoding and decoding the sample."""
    grid = fit_rows(sample, bits, with_offset)
    values = decode(encode(sample, *grid, bits=bits), *grid)
    return float(np.sum(np.square(values.astype(np.float64) - sample)))
