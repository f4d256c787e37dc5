"""set_device: nodes on the device that is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.transforms.native import NativeTransform


@dataclass(frozen=True)
class SetDevice(NativeTransform):
    """Puts every node on one device; a servable loads only where that device is.

        Before: MatMul
        After:  MatMul on /device:CPU:0

    By the engine.

    Attributes:
      device: as TensorFlow spells it, for example `set_device(device="/device:CPU:0")`; none clears it.
      if_default: leave nodes alone that have a device.
    """

    text_name: ClassVar[str] = "set_device"
    enters_functions: ClassVar[bool] = True
    whole: ClassVar[bool] = True
    device: str = ""
    if_default: bool = False
