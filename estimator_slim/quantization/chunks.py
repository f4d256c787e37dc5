"""Walk a table in pieces that stay in the processor's cache.

Each step of the arithmetic here (subtract, multiply, round, clip, …) is one numpy call that
reads and writes everything it is given. Over a whole table each would go through main memory;
over 128 Ki values (512 KiB of float32) at a time they find their operands in a 2 MiB L2 cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_VALUES = 1 << 17


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
    """Calls `work` for each of `chunks(matrix)`, in threads: numpy holds no lock while it computes."""
    with ThreadPoolExecutor() as threads:
        list(threads.map(work, chunks(matrix)))  # raises what a call raised
