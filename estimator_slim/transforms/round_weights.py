"""round_weights: weights in fewer distinct values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.transforms.native import NativeTransform


@dataclass(frozen=True)
class RoundWeights(NativeTransform):
    """Rounds constant weights to a number of values, so that the servable compresses better.

        Before: Const [0.1234, 0.5678, ...]
        After:  Const [0.12, 0.57, ...]; same size, fewer distinct values

    By the engine, over weights that are Consts; for less space on disk without compression, and for
    weights of any size, see quantize_weights.

    Attributes:
      num_steps: distinct values left in each weight.
    """

    text_name: ClassVar[str] = "round_weights"
    lossy: ClassVar[bool] = True
    num_steps: int = 256
