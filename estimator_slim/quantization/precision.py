"""Does a row survive the float format that its codes stand for?

Codes of 8 and 4 bits are fitted to float32 and decoded in it. What float64 tells apart may be one value
there: times in seconds, 1.6e9 + 0 … 60, are 64 apart in float32. Values near the least of a format
vanish: TensorFlow computes without denormals, so that steps of less than 1.2e-38 are none.

With 16 bits there is no grid: the code is the value as a float16, half the bytes of float32. It has 11
significant bits, so a value keeps its relative error below 2**-11 from 6.1e-5 to 65504; smaller values
lose digits, below 3e-8 all of them; larger values become infinity.

So the error that the format alone makes has to be as small, against what varies in the row, as the error
that so many bits make. Few values may be near each other by chance: what varies is measured over at
least 16 values, so over some rows where they are narrow. A row that is next to nothing beside others, as
decay leaves those that training never meets, may vanish.
"""

from __future__ import annotations

import numpy as np

from estimator_slim.errors import EstimatorSlimError
from estimator_slim.quantization.fit import NonFiniteError
from estimator_slim.quantization.grid import as_matrix, chunks

LARGEST = float(np.finfo(np.float16).max)
_LEAST_VALUES = 16
_NEXT_TO_NOTHING = 2.0**-12  # of the largest row
_FINEST = float(np.finfo(np.float32).tiny)  # step of a grid of codes


class PrecisionError(EstimatorSlimError, ValueError):
    """A row whose values the format does not tell apart.

    row: its index among the rows that were handed in; low, high: what its values lie between; kept: how
    many of `steps` steps that its values should have are left in the float `format`.
    """

    def __init__(self, row: int, low: float, high: float, kept: int, steps: int, format: str) -> None:
        self.row, self.low, self.high, self.kept, self.steps, self.format = (
            row, low, high, kept, steps, format)
        super().__init__(
            f"row {row} lies between {low:.15g} and {high:.15g}, of which {format} keeps {kept} of "
            f"{steps} steps: leave this weight as it is"
        )


def require_precision(rows: np.ndarray, bits: int) -> None:
    """Raises PrecisionError for the first row of float [n, width] that codes of `bits` bits would lose.

    Rows that are all zero are kept by every format. Rows with a value that is not finite are passed
    over: the fit of a grid refuses them.

        >>> require_precision(np.float64([[1.6e9, 1.6e9 + 60] * 8]), bits=8)
        Traceback (most recent call last):
        estimator_slim.quantization.precision.PrecisionError: row 0 lies between 1600000000 and ...
    """
    if not len(rows):
        return
    low, high = rows.min(axis=1).astype(np.float64), rows.max(axis=1).astype(np.float64)
    magnitude = np.maximum(np.abs(low), np.abs(high))
    error = _error(rows, magnitude, bits)
    if not error.any():
        return
    steps = 1 << min(bits, 8)
    reach, low, high = _reach(low, high, magnitude, rows.shape[1])
    lost = (error * (2 * steps) > reach) & (magnitude > magnitude.max() * _NEXT_TO_NOTHING)
    if lost.any():
        row = int(np.argmax(lost))
        raise PrecisionError(row, float(low[row]), float(high[row]), int(reach[row] / (2 * error[row])),
                             steps, "float16" if bits == 16 else "float32")


def require_float16(rows: np.ndarray) -> None:
    """Raises NonFiniteError for the first row of float32 [n, width] that does not fit."""
    if not fits_float16(rows):
        row = int(np.argmax(~(np.abs(rows) <= LARGEST).all(axis=1)))
        raise NonFiniteError(row, float(rows[row].min()), float(rows[row].max()))


def to_float16(rows: np.ndarray) -> np.ndarray:
    """float32 [n, ...] → float16 of the same shape, rounded to nearest, ties to even.

    Raises ValueError if the rows do not fit: ask fits_float16 first.
    """
    if not fits_float16(rows):
        raise ValueError(f"values beyond {LARGEST:g} or not finite, expected fits_float16(rows)")
    return rows.astype(np.float16)


def fits_float16(rows: np.ndarray) -> bool:
    """Whether every value of float32 [n, ...] is finite and at most 65504 in magnitude.

    If not, the weight must be left alone: an infinity in a served model spreads.
    """
    matrix = as_matrix(rows)
    # NaN compares false, so it does not fit either.
    return all(
        matrix[part].min() >= -LARGEST and matrix[part].max() <= LARGEST for part in chunks(matrix)
    )


def _error(rows: np.ndarray, magnitude: np.ndarray, bits: int) -> np.ndarray:
    """How far off the format alone may put a value of each row, float64 [n]."""
    error = np.zeros(len(rows))
    with np.errstate(over="ignore", invalid="ignore"):
        if rows.dtype.itemsize > (2 if bits == 16 else 4):
            kept = rows.astype(np.float16 if bits == 16 else np.float32)
            error = np.abs(kept.astype(rows.dtype) - rows).max(axis=1).astype(np.float64)
    if bits == 16:
        return error
    is_fine = (magnitude > 0) & (magnitude < 2**24 * _FINEST)  # neighbouring floats are nearer
    return np.maximum(error, np.where(is_fine, _FINEST / 2, 0))


def _reach(low: np.ndarray, high: np.ndarray, magnitude: np.ndarray,
           width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What varies in each row, and the values that it lies between: three float64 [n].

    Where nothing varies, as in equal rows, it is the size of the row that counts.
    """
    together = -(-_LEAST_VALUES // width)
    starts = np.arange(0, len(low), together)
    group = np.arange(len(low)) // together
    least, most = np.minimum.reduceat(low, starts)[group], np.maximum.reduceat(high, starts)[group]
    reach = most - least if width == 1 else np.minimum(most - least, 2 * magnitude)
    reach = np.where(most > least, reach, magnitude)
    return (reach, least, most) if width == 1 else (reach, low, high)
