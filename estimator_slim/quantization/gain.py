"""Is an offset for each row worth its four bytes?

One more bit a value cuts the squared error by four (Bennett 1948, "Spectra of quantized
signals": the error of a fine uniform grid is step² / 12). Four bytes for a row of `width` values
are 32 / width bits a value, and spent as bits they would cut the error 4 ** (32 / width) times.
So that is the least an offset must achieve; and never less than twice, since it also costs the
graph a gather and an addition. Rows of 256 values: twice. Rows of 16: sixteen times.

Values around zero gain nothing (1.0 to 1.3 times); values on one side of zero, as after a relu,
use half of a symmetric grid and gain four times.
"""

from __future__ import annotations

import numpy as np

from estimator_slim.quantization.chunks import as_matrix
from estimator_slim.quantization.fit import fit_rows
from estimator_slim.quantization.grid import decode, encode

_LEAST_GAIN = 2.0
_OFFSET_BITS = 32


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


def _error(sample: np.ndarray, bits: int, with_offset: bool) -> float:
    """The sum of squared errors, in float64, of encoding and decoding the sample."""
    grid = fit_rows(sample, bits, with_offset)
    values = decode(encode(sample, *grid, bits=bits), *grid)
    return float(np.sum(np.square(values.astype(np.float64) - sample)))
