"""The rows of a weight that are not all zero: which they are, and a weight of nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from estimator_slim.graph.weight import SLICE_BYTES, Weight

_ENTRY_BYTES = 48  # a row's id on disk, and the id and the place of the row in the hash table
_NODE_BYTES = 4096  # the nodes that look a row up


def sparse_rows(weight: Weight) -> np.ndarray | None:
    """The ids of the rows that are not all zero: int64 [m], rising, one at least.

    None where the weight without its zero rows, and with what it takes to find the others, would not
    take less than half of its bytes.
    """
    row_bytes = weight.byte_count // max(1, weight.row_count)
    most = (weight.byte_count // 2 - _NODE_BYTES - row_bytes) // (row_bytes + _ENTRY_BYTES)
    if most < 1:
        return None
    found: list[np.ndarray] = []
    count = 0
    for start, rows in weight.slices():
        used = np.flatnonzero(rows.reshape(len(rows), -1).any(axis=1))
        found.append(used + start)
        count += len(used)
        if count > most:
            return None
    return np.concatenate(found) if count else np.zeros(1, np.int64)


def without_zero_rows(weight: Weight, ids: np.ndarray) -> Weight:
    """The weight [m + 1, ...] of a row of zeros and then rows `ids` [m] of `weight`, read in slices."""

    def read(start: int, stop: int) -> np.ndarray:
        rows = _rows(weight, ids[max(0, start - 1):stop - 1])
        zeros = np.zeros((1 if start == 0 and stop > 0 else 0, *weight.shape[1:]), rows.dtype)
        return np.concatenate([zeros, rows])

    return replace(weight, shape=(len(ids) + 1, *weight.shape[1:]), read=read, stored=None)


def _rows(weight: Weight, ids: np.ndarray) -> np.ndarray:
    """Rows `ids`, which rise, of `weight`; no more than a slice of it is in memory."""
    result = np.empty((len(ids), *weight.shape[1:]), weight.dtype.as_numpy_dtype)
    step = max(1, SLICE_BYTES * weight.row_count // max(1, weight.byte_count))
    at = 0
    while at < len(ids):
        first = int(ids[at])
        stop = min(first + step, weight.row_count)
        end = int(np.searchsorted(ids, stop))
        result[at:end] = weight.read(first, stop)[ids[at:end] - first]
        at = end
    return result
