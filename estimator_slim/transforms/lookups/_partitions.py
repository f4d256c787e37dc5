"""Where the rows of a partitioned table lie, by the strategies of tf.nn.embedding_lookup."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from estimator_slim.graph import Training, Weight

Read = Callable[[int, int], np.ndarray]


class Concatenated:
    """Strategy `div`: the parts one after the other."""

    def __init__(self, counts: list[int]):
        self.starts = np.concatenate([[0], np.cumsum(counts)])

    def place(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(part, row) of ids."""
        part = np.searchsorted(self.starts, ids, "right") - 1
        return part, ids - self.starts[part]

    def rows(self, parts: list[Weight], start: int, stop: int) -> np.ndarray:
        bounds = list(zip(parts, self.starts[:-1], self.starts[1:]))
        return np.concatenate([part.read(max(start, a) - a, min(stop, b) - a)
                               for part, a, b in bounds if max(start, a) < min(stop, b)]
                              or [parts[0].read(0, 0)])


class Interleaved:
    """Strategy `mod`: row i is in part i % n."""

    def __init__(self, counts: list[int]):
        self.count = len(counts)

    def place(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(part, row) of ids."""
        return ids % self.count, ids // self.count

    def rows(self, parts: list[Weight], start: int, stop: int) -> np.ndarray:
        result = np.empty((stop - start, *parts[0].shape[1:]), parts[0].dtype.as_numpy_dtype)
        for number, part in enumerate(parts):
            first, last = (-(-(at - number) // self.count) for at in (start, stop))
            result[(number - start) % self.count::self.count] = part.read(first, last)
        return result


def merged_training(parts: list[Weight], strategy: Concatenated | Interleaved) -> Training | None:
    """What training left of the rows of the whole table."""
    all_of = [part.training for part in parts if part.training is not None]
    if len(all_of) < len(parts):
        return None
    unknown = next((one.unknown for one in all_of if one.unknown), "")

    def column(dtype: tf.DType, reads: Sequence[Read]) -> Read:
        columns = [Weight(dtype, (part.row_count,), read) for part, read in zip(parts, reads)]
        return lambda start, stop: strategy.rows(columns, start, stop)

    importances = [one.importance for one in all_of if one.importance]
    return Training(column(tf.bool, [one.trained for one in all_of]),
                    column(tf.float32, importances) if len(importances) == len(parts) else None, unknown)
