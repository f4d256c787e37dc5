"""How many rows of a narrow table can share a grid.

As many as make 64 values (blocks.py), if they are alike. A row beside a much larger one would be
rounded to the other's steps: one row of 1e30 takes all that its neighbours hold. So blocks are halved
until the rounding costs the rows little, measured for each against the row itself, since a model may
normalize what it looks up.

A row of one value has no size but that value, and every table of numbers around zero has some that are
next to nothing: those share a grid whatever they are.
"""

from __future__ import annotations

import numpy as np

from estimator_slim.quantization.blocks import rows_per_block
from estimator_slim.quantization.chunks import for_each_chunk

# The noise of 8 bits as a share of a row's power, 1 where the row is lost: its mean over all rows. Bell-
# shaped values have 4e-4 in blocks of two columns, 1e-4 of three, 4e-5 of sixteen; 1e-3 are 30 dB.
_MOST_NOISE = 5e-4
_STEPS = 254


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
        """True where no table can change the answer."""
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
