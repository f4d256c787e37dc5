"""One grid for a whole table, fitted while its slices go by.

Cheaper in the graph than a grid for each row (the scale is a constant, nothing to gather) and
coarser: the largest value anywhere in the table sets the step for all rows. It takes the range
as it is for 4 bits too. A search for a clipped range would need a histogram, hence another pass
over the table, for a choice that a grid for each row beats anyway.
"""

from __future__ import annotations

import numpy as np

from estimator_slim.quantization.chunks import as_matrix
from estimator_slim.quantization.fit import grid_of_range, row_ranges
from estimator_slim.quantization.grid import Grid


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
