"""Weights of some rows of another one."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from estimator_slim.graph import SLICE_BYTES, Training, Weight

_KEPT_BYTES = 16 << 20  # of rows that are read once and then kept, as they may lie all over the weight


def selected(weight: Weight, ids: np.ndarray, rest: np.ndarray | None = None) -> Weight:
    """Rows `ids` [m], rising, of a weight [n, ...], and behind them one row `rest`: [m (+ 1), ...]."""
    last = len(ids) + (rest is not None)
    is_small = last * weight.byte_count // max(1, weight.row_count) <= _KEPT_BYTES

    @functools.cache
    def every() -> np.ndarray:
        return _rows(weight, ids)

    def read(start: int, stop: int) -> np.ndarray:
        end = min(stop, len(ids))
        rows = every()[start:end] if is_small else _rows(weight, ids[start:end])
        if rest is None or stop <= len(ids):
            return rows
        return np.concatenate([rows, rest.reshape(1, *weight.shape[1:]).astype(rows.dtype)])

    return Weight(weight.dtype, (last, *weight.shape[1:]), read, origin=weight.origin,
                  training=_selected_training(weight, ids, last))


def _selected_training(weight: Weight, ids: np.ndarray, count: int) -> Training | None:
    """All rows count as trained now; how much each counts stays, and the last row counts nothing."""
    importance = weight.training.importance if weight.training else None
    if importance is None:
        return None

    def read(start: int, stop: int) -> np.ndarray:
        column = replace(weight, shape=(weight.row_count,), read=importance)
        found = _rows(column, ids[start:min(stop, len(ids))])
        return np.concatenate([found, np.zeros(stop - start - len(found), np.float32)])

    return Training(lambda start, stop: np.ones(stop - start, bool), read)


def _rows(weight: Weight, ids: np.ndarray) -> np.ndarray:
    """Rows `ids`, which rise, of `weight`; no more than a slice of it is in memory."""
    found = []
    step = max(1, SLICE_BYTES * weight.row_count // max(1, weight.byte_count))
    at = 0
    while at < len(ids):
        first = int(ids[at])
        end = int(np.searchsorted(ids, first + step))
        last = int(ids[end - 1]) + 1
        found.append(weight.read(first, last)[ids[at:end] - first])
        at = end
    return np.concatenate(found) if found else weight.read(0, 0)
