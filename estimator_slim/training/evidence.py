"""What is compared to tell which rows of a variable training moved, and how much each counts."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from estimator_slim.errors import SourceError
from estimator_slim.graph import Training, Weight
from estimator_slim.training.slots import Slot, places

Read = Callable[[int, int], np.ndarray]


@dataclass
class Evidence:
    """What there is to tell whether a row was trained.

    Attributes:
      weight: the variable.
      slots: of its optimizer; none where they tell nothing.
      first: the rows before the first step; None where they are not known.
      overwritten: an update without a gradient leaves zeros in the row and no trace in the slots.
      all_trained: so few rows look untrained that all count as trained.
      check: run once, before anything is read; it raises where the slots are damaged.
    """

    weight: Weight
    slots: Sequence[Slot]
    first: Read | None = None
    overwritten: bool = False
    all_trained: bool = False
    check: Callable[[], None] = field(default=lambda: None)

    def training(self) -> Training:
        """As others ask for it: by slices of rows, each read once for both questions."""
        read = functools.lru_cache(maxsize=1)(self.read)
        counts = any(slot.squares for slot in self.slots)
        return Training(lambda start, stop: read(start, stop)[0],
                        (lambda start, stop: read(start, stop)[1]) if counts else None)

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Which rows start..stop were trained, bool [k], and how much they count, float32 [k]."""
        self.check()
        trained = np.full(stop - start, self.all_trained)
        importance = np.zeros(stop - start, np.float32)
        for slot in self.slots:
            rows = slot.weight.read(start, stop)
            moved = slot.moved(rows)
            trained |= moved
            if slot.squares:
                importance[moved] += slot.importance(rows[moved])
        if self.first or self.overwritten:
            values = self.weight.read(start, stop)
            if self.first:
                trained |= self._differs(self.first, values, start, stop)
            if self.overwritten:
                trained |= (values == 0).all(axis=places(values))
        return trained, importance

    @staticmethod
    def _differs(first: Read, values: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Which of the `values` are not those of the first step; all, where these cannot be read."""
        try:
            return differs(values, first(start, stop))
        except SourceError:  # training may have removed its first checkpoint by now
            return np.ones(stop - start, bool)


def differs(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which rows [k, ...] of two arrays are not equal bit for bit, bool [k]."""
    some, others = (np.ascontiguousarray(one).view(f"u{one.itemsize}") for one in (some, others))
    return (some != others).any(axis=places(some))
