"""remove_device, set_device: on which device a node runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.graph import Graph
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.engine import NativeTransform, run_whole

_SERVED = re.compile(r"(/(job|replica|task|device|[cg]pu|[CG]PU):[\w:*]+)*")  # servers take no `cpu:0`


@dataclass(frozen=True)
class RemoveDevice(Transform):
    """Clears the device of every node, so that the servable runs where the trainer's devices are not.

        Before: MatMul on /job:worker/device:GPU:0
        After:  MatMul

    By the engine.
    """

    text_name: ClassVar[str] = "remove_device"
    by: ClassVar[str] = "engine"
    enters_functions: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> None:
        run_whole(graph, self.text_name)


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

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            tf.DeviceSpec.from_string(self.device)
            is_device = _SERVED.fullmatch(self.device)
        except ValueError:
            is_device = None
        if not is_device:
            raise OptionError("set_device(device=...) takes a device as TensorFlow spells it, such as "
                              f'"/device:CPU:0" or "/job:worker/task:1", got {self.device!r}')
