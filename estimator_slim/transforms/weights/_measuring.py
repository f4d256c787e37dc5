"""What codes make of a weight, for the record: bytes, and how far values are off.

Errors are measured on up to 4,096 rows from all over the weight, by the arithmetic of the graph that
decodes them.
"""

from __future__ import annotations

import numpy as np

from estimator_slim.graph import Weight
from estimator_slim.quantization import decode, decode_blocks, unpack_nibbles
from estimator_slim.report import Treatment
from estimator_slim.transforms.base import treatment_of
from estimator_slim.transforms.weights._coding import WHOLE_TABLE, Coding

_PLACES, _ROWS = 16, 256
_QUANTILES = np.linspace(0, 1, 21)


def coded(name: str, weight: Weight, coding: Coding, parts: list[Weight]) -> Treatment:
    """The weight that the node `name` holds, stored as `parts`, by `coding`."""
    runs = coding.weight.spread(_PLACES, _ROWS)
    squares = np.concatenate([_squares(coding, *run) for run in runs])
    error, value = squares.sum(axis=0)
    return treatment_of(
        name, weight, parts, codes=coding.codes.dtype.name, bits=coding.bits,
        per_scale=None if coding.grid is None else coding.per_block, has_offset=coding.has_offset,
        error=float(_share(error, value)),
        row_errors=tuple(map(float, np.quantile(_share(*squares.T), _QUANTILES))))


def _squares(coding: Coding, start: int, stop: int) -> np.ndarray:
    """float64 [rows, 2]: the sum of squares of each row's errors, and of its values."""
    values = coding.weight.read(start, stop).astype(np.float64).reshape(stop - start, -1)
    decoded = _decoded(coding, start, stop).reshape(values.shape)
    return np.stack([np.square(one).sum(axis=1) for one in (decoded - values, values)], axis=1)


def _decoded(coding: Coding, start: int, stop: int) -> np.ndarray:
    codes = coding.codes.read(start, stop)
    if coding.grid is None:
        return codes.astype(np.float64)
    if coding.bits == 4:
        codes = unpack_nibbles(codes, coding.weight.shape[-1])
    if coding.per_block == WHOLE_TABLE:
        return decode(codes, *coding.grid)
    return decode_blocks(codes, coding.grid, coding.per_block, first=start)


def _share(error: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Root of error / value; of what is all zeros, 0."""
    return np.sqrt(np.divide(error, value, out=np.zeros_like(value), where=value > 0))
