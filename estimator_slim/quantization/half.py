"""float16: half the bytes of float32, without a grid.

A float16 has 11 significant bits, so a value keeps its relative error below 2**-11 from 6.1e-5
to 65504; smaller values lose digits, below 3e-8 all of them; larger values become infinity.
"""

from __future__ import annotations

import numpy as np

from estimator_slim.quantization.chunks import as_matrix, chunks
from estimator_slim.quantization.fit import NonFiniteError

LARGEST = float(np.finfo(np.float16).max)


def fits_float16(rows: np.ndarray) -> bool:
    """Whether every value of float32 [n, ...] is finite and at most 65504 in magnitude.

    If not, the weight must be left alone: an infinity in a served model spreads.
    """
    matrix = as_matrix(rows)
    # NaN compares false, so it does not fit either.
    return all(
        matrix[part].min() >= -LARGEST and matrix[part].max() <= LARGEST for part in chunks(matrix)
    )


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
