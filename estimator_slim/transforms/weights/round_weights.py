"""round_weights: weights in fewer distinct values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.errors import OptionError
from estimator_slim.transforms.engine import NativeTransform

_MOST_STEPS = 2**30  # the engine counts in int32


@dataclass(frozen=True)
class RoundWeights(NativeTransform):
    """Rounds constant weights to a number of values, so that the servable compresses better.

        Before: Const [0.1234, 0.5678, ...]
        After:  Const [0.12, 0.57, ...]; same size, fewer distinct values

    By the engine, over weights that are Consts; for less space on disk without compression, and for
    weights of any size, see quantize_weights.

    Attributes:
      num_steps: distinct values left in each weight, from 2 to 2**30.
    """

    text_name: ClassVar[str] = "round_weights"
    lossy: ClassVar[bool] = True
    num_steps: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.num_steps <= _MOST_STEPS:
            raise OptionError(f"round_weights(num_steps=...) takes 2 to {_MOST_STEPS} values, got "
                              f"{self.num_steps}")
