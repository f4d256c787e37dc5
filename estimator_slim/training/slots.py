"""A slot: the variable in which an optimizer remembers the gradients of another, place by place.

A slot whose row holds its start value was in no update, or in one whose gradients were so small that a
sum took no notice (0.1 + g² for |g| up to 6e-5). A slot that decays goes back to zero: after a number of
steps n it is decay^n of what it was, and below 1.2e-38 TensorFlow makes it zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from estimator_slim.graph import Weight

# Adam's v of a gradient of 1e-9, 1e-21, is still there after steps x -ln(decay) = 35: 6e-37.
MOST_DECAY = 35.0
_FAINT_STEPS = 64  # between neighbouring numbers: gradients 8 times as large as those that do not show


@dataclass(frozen=True)
class Slot:
    """What an optimizer keeps for a variable of the same shape.

    Attributes:
      weight: its values in the checkpoint.
      start: the value that all its places started from, of shape ().
      decay: the factor by which an update makes it smaller; None where it never goes back.
      squares: it holds squares of gradients, summed up or averaged.
    """

    weight: Weight
    start: np.ndarray
    decay: float | None = None
    squares: bool = False

    def moved(self, rows: np.ndarray) -> np.ndarray:
        """Which of the slot's `rows` [k, ...] do not hold the start value, bool [k]."""
        return (rows != self.start).any(axis=places(rows))

    def faint(self, rows: np.ndarray) -> np.ndarray:
        """Which of the slot's `rows` [k, ...] are hardly above the start value anywhere, bool [k]."""
        return (rows - self.start).max(axis=places(rows)) < _FAINT_STEPS * np.spacing(self.start)

    def importance(self, rows: np.ndarray) -> np.ndarray:
        """The mean of the squares in each of the slot's `rows` [k, ...], float32 [k]."""
        start = self.start if self.decay is None else np.zeros_like(self.start)
        return (rows - start).mean(axis=places(rows), dtype=np.float32)


def places(rows: np.ndarray) -> tuple[int, ...]:
    """The axes of rows [k, ...] behind the first."""
    return tuple(range(1, rows.ndim))


@dataclass(frozen=True)
class Update:
    """One way in which training changes a variable, and what it leaves each time.

    Attributes:
      node: the operation, for messages.
      slots: each is moved by any gradient that moves the variable.
      overwrites: it sets a row anew from its slots, to zero where the gradients were zero.
    """

    node: str
    slots: Sequence[Slot]
    overwrites: bool = False

    @property
    def absorbs(self) -> bool:
        """True if small gradients leave no trace: they vanish in sums that do not start from zero."""
        return all(slot.decay is None and slot.start != 0 for slot in self.slots)

    def decayed(self, steps: int) -> bool:
        """True if the trace of an early update may be gone after so many steps."""
        factors = [slot.decay for slot in self.slots if slot.start == 0]
        if len(factors) < len(self.slots) or None in factors:
            return False
        return steps * min(_rate(factor) for factor in factors if factor is not None) >= MOST_DECAY


def _rate(decay: float) -> float:
    if not 0 <= decay < 1:
        return 0.0 if decay > 0 else math.inf
    return -math.log(decay) if decay else math.inf
