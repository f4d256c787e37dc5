"""Weights of some rows of another one."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from estimator_slim.graph import SLICE_BYTES, Training, Weight

Read = Callable[[int, int], np.ndarray]

_KEPT_BYTES = 16 << 20  # of rows that are read once and then kept, as they may lie all over the weight


def selected(weight: Weight, ids: np.ndarray, rest: np.ndarray | None = None) -> Weight:
    """Rows `ids` [m], rising, of a weight [n, ...], and behind them one row `rest`: [m (+ 1), ...]."""
    last = len(ids) + (rest is not None)
    step = weight.rows_within(SLICE_BYTES)
    is_small = last * weight.byte_count // max(1, weight.row_count) <= _KEPT_BYTES

    @functools.cache
    def every() -> np.ndarray:
        return _rows(weight.read, ids, step)

    def read(start: int, stop: int) -> np.ndarray:
        end = min(stop, len(ids))
        rows = every()[start:end] if is_small else _rows(weight.read, ids[start:end], step)
        if rest is None or stop <= len(ids):
            return rows
        return np.concatenate([rows, rest.reshape(1, *weight.shape[1:]).astype(rows.dtype)])

    importance = weight.training.importance if weight.training else None
    return Weight(weight.dtype, (last, *weight.shape[1:]), read, origin=weight.origin,
                  bytes_before=weight.bytes_before or weight.byte_count,
                  training=_selected_training(importance, ids, last, step) if importance else None)


def _selected_training(importance: Read, ids: np.ndarray, count: int, step: int) -> Training:
    """All rows count as trained now; how much each counts stays, and the last row counts nothing."""
    @functools.cache
    def every() -> np.ndarray:
        found = _rows(importance, ids, step)
        return np.concatenate([found, np.zeros(count - len(ids), np.float32)])

    return Training(lambda start, stop: np.ones(stop - start, bool),
                    lambda start, stop: every()[start:stop])


def _rows(read: Read, ids: np.ndarray, step: int) -> np.ndarray:
    """Rows `ids`, which rise, read in slices of up to `step` rows."""
    found = []
    at = 0
    while at < len(ids):
        first = int(ids[at])
        end = int(np.searchsorted(ids, first + step))
        last = int(ids[end - 1]) + 1
        found.append(read(first, last)[ids[at:end] - first])
        at = end
    return np.concatenate(found) if found else read(0, 0)
