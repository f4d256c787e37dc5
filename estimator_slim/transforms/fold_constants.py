"""fold_constants: what is constant, computed ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.transforms.native import NativeTransform


@dataclass(frozen=True)
class FoldConstants(NativeTransform):
    """Computes once, now, what does not depend on a request.

        Before: Const(2) ─ Mul(Const(3)) ─ Add(x)
        After:  Const(6) ─ Add(x)

    By the engine, over the part of the graph that answers requests: it cannot fold a graph that has
    an init op, and with ignore_errors it then does nothing and says nothing.

    Attributes:
      clear_output_shapes: drop recorded `_output_shapes`, which may be out of date.
    """

    text_name: ClassVar[str] = "fold_constants"
    enters_functions: ClassVar[bool] = True
    clear_output_shapes: bool = True
