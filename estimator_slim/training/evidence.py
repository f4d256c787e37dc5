"""What is compared to tell which rows of a variable training moved, and how much each counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from estimator_slim.errors import SourceError
from estimator_slim.graph import Weight
from estimator_slim.training.slots import Slot, places

Read = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class Rows:
    """What is known of some rows, in order: arrays [k].

    Attributes:
      trained: whether training moved them, bool.
      importance: the mean of their sums of squared gradients, float32.
      faint: whether it is a near thing that the optimizer's sums show them, bool.
    """

    trained: np.ndarray
    importance: np.ndarray
    faint: np.ndarray


@dataclass
class Evidence:
    """What there is to tell whether a row was trained.

    Attributes:
      weight: the variable.
      slots: of its optimizer; none where they tell nothing.
      earlier: the rows as they were at an earlier step; None where that is not known.
      absorbing: the slots in which small gradients leave no trace, and nothing else shows them either.
      overwritten: an update without a gradient leaves zeros in the row and no trace in the slots.
      check: run once, before anything is read; it raises where the slots are damaged.
    """

    weight: Weight
    slots: Sequence[Slot]
    earlier: Read | None = None
    absorbing: Sequence[Slot] = ()
    overwritten: bool = False
    check: Callable[[], None] = field(default=lambda: None)

    @property
    def has_importance(self) -> bool:
        """Whether a slot holds squares of gradients."""
        return any(slot.squares for slot in self.slots)

    def rows(self, start: int, stop: int) -> Rows:
        """Reads what there is of rows start..stop."""
        trained, faint = np.zeros(stop - start, bool), np.zeros(stop - start, bool)
        importance = np.zeros(stop - start, np.float32)
        for slot in self.slots:
            rows = slot.weight.read(start, stop)
            moved = slot.moved(rows)
            trained |= moved
            if slot.squares:
                importance[moved] += slot.importance(rows[moved])
            if slot in self.absorbing:
                faint[moved] |= slot.faint(rows[moved])
        if self.earlier or self.overwritten:
            values = self.weight.read(start, stop)
            if self.earlier:
                trained |= _differ(values, self.earlier, start, stop)
            if self.overwritten:
                trained |= (values == 0).all(axis=places(values))
        return Rows(trained, importance, faint)


def _differ(values: np.ndarray, earlier: Read, start: int, stop: int) -> np.ndarray:
    """Which of the rows are not as they were; all, where that cannot be read."""
    try:
        return differs(values, earlier(start, stop))
    except SourceError:  # training may have removed the earlier checkpoint by now
        return np.ones(stop - start, bool)


def differs(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which rows [k, ...] of two arrays are not equal bit for bit, bool [k]."""
    some, others = (np.ascontiguousarray(one).view(f"u{one.itemsize}") for one in (some, others))
    return (some != others).any(axis=places(some))
