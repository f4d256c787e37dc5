"""How the rows of a table are dealt out to its partitions: which is where, and how to join them again.

Strategies: those of tf.nn.embedding_lookup.
"""

from __future__ import annotations

import numpy as np

from estimator_slim.graph.weight import Weight


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
