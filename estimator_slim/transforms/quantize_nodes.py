"""quantize_nodes: float operations as eight-bit ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Optional

from estimator_slim.transforms.native import NativeTransform


@dataclass(frozen=True)
class QuantizeNodes(NativeTransform):
    """Replaces float operations by eight-bit ones that measure the range of what they are given.

        Before: x ─ MatMul(w) ─ Relu ─ y
        After:  x ─ Quantize ─ QuantizedMatMul ─ Requantize ─ QuantizedRelu ─ Dequantize ─ y

    By the engine, which needs every attribute spelt out and exports leave out those at their default,
    so they are put back first. Answers change by about one part in a hundred.

    Attributes:
      input_min: with `input_max`, the range that fed placeholders are quantized to.
      fallback_min: with `fallback_max`, the range to use instead of measuring one.
    """

    text_name: ClassVar[str] = "quantize_nodes"
    lossy: ClassVar[bool] = True
    input_min: Optional[float] = None  # noqa: UP045
    input_max: Optional[float] = None  # noqa: UP045
    fallback_min: Optional[float] = None  # noqa: UP045
    fallback_max: Optional[float] = None  # noqa: UP045

    def engine_text(self) -> str:
        return "add_default_attributes " + super().engine_text()
