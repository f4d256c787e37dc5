"""remove_device: nodes without devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.native import run_whole


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
