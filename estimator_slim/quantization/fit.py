"""Fit each row's grid to the range of its values.

Eight bits take the row's range as it is: no value is clipped, so no value is off by more than
half a step. Four bits start from there and search for less squared error (search.py).
"""

from __future__ import annotations

import numpy as np

from estimator_slim.errors import EstimatorSlimError
from estimator_slim.quantization.chunks import as_matrix, for_each_chunk
from estimator_slim.quantization.grid import Grid, code_limits
from estimator_slim.quantization.search import refine

_SMALLEST_NORMAL = np.finfo(np.float32).tiny
# The distance to the next float is defined up to here: above the largest there is none.
_NEXT_TO_LARGEST = np.nextafter(np.finfo(np.float32).max, np.float32(0))


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


def row_ranges(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and largest value of each row of [n, width]: two float32 [n].

    Minimum and maximum pass NaN on, so looking at them is looking at every value.
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


def has_least_scale(grid: Grid) -> bool:
    """True if a scale is the smallest normal number, which no range asked for: of zeros, denormals."""
    return bool((grid.scale <= _SMALLEST_NORMAL).any())


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
