"""Whether untrained rows really hold random numbers, which the graph alone cannot tell.

`variable.load(word_vectors, session)`, an initializer to which somebody fed its value, or training that
other code began leave no trace in the graph. So some rows that look untrained are compared with what the
initializer draws: the largest distance between the two distributions, after Kolmogorov and Smirnov.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from estimator_slim.graph import Weight
from estimator_slim.training.unknown import Unknown

_BLOCKS, _BLOCK_VALUES = 64, 1 << 10
_FEWEST = 100  # values, below which nothing is gained by dropping rows
_CHANCE = 1e-9  # that random numbers are taken for something else
_TOLERATED = 0.05  # distance, of initializers that draw a little otherwise in another version


def require_drawn(weight: Weight, trained: Callable[[int, int], np.ndarray], drawn: np.ndarray) -> bool:
    """Compares some rows that look untrained with `drawn` [n], what the initializer draws.

    Returns:
      False where they are too few to tell.

    Raises:
      Unknown: they are of another distribution.
    """
    values = _untrained(weight, trained)
    if len(values) < _FEWEST:
        return False
    distance = _distance(np.sort(values.astype(np.float64)), np.sort(drawn.astype(np.float64)))
    by_chance = np.sqrt(np.log(2 / _CHANCE) / 2 * (1 / len(values) + 1 / len(drawn)))
    if distance > max(by_chance, _TOLERATED):
        raise Unknown("its untrained rows are not what its initializer draws (the distributions differ "
                      f"by {distance:.3f}): somebody put values there, by variable.load or in the "
                      "init_fn of a Scaffold, or trained with another initializer before")
    return True


def _untrained(weight: Weight, trained: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """Values of rows that look untrained, [m], from some places of the variable."""
    rows = max(1, _BLOCK_VALUES * weight.row_count // weight.value_count)
    starts = np.arange(0, weight.row_count, rows)
    if len(starts) > _BLOCKS:
        starts = np.sort(np.random.default_rng().choice(starts, _BLOCKS, replace=False))
    found = [np.empty(0, weight.dtype.as_numpy_dtype)]
    for start in starts.tolist():
        stop = min(start + rows, weight.row_count)
        found.append(weight.read(start, stop)[~trained(start, stop)].ravel())
    return np.concatenate(found)


def _distance(some: np.ndarray, others: np.ndarray) -> float:
    """The largest difference of the shares up to any value, of two sorted samples."""
    at = np.concatenate([some, others])
    shares = [np.searchsorted(one, at, side="right") / len(one) for one in (some, others)]
    return float(np.abs(shares[0] - shares[1]).max())
