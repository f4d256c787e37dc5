"""add_default_attributes: attributes that a node leaves at their default, spelt out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.transforms.native import NativeTransform


@dataclass(frozen=True)
class AddDefaultAttributes(NativeTransform):
    """Writes down every attribute that a node leaves out because it is at its default.

        Before: MatMul {T: float}
        After:  MatMul {T: float, transpose_a: false, transpose_b: false}

    By the engine. Exports leave defaults out so that older TensorFlow can load them; tools that know no
    defaults, and some of the engine's own transforms, need them back.
    """

    text_name: ClassVar[str] = "add_default_attributes"
    enters_functions: ClassVar[bool] = True
    whole: ClassVar[bool] = True
