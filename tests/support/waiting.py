"""A transform that waits for a file: what it is part of is in work for as long as a test wants."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import ClassVar

from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.base import Transform


@dataclass(frozen=True)
class Waiting(Transform):
    """Makes the file `<path>.begun`, then changes nothing as soon as there is a file `path`."""

    text_name: ClassVar[str] = "waiting"
    path: str = ""

    def rewrite(self, graph: Graph) -> None:
        with open(f"{self.path}.begun", "w"):
            pass
        wait_for(self.path)


def wait_for(path: str, seconds: float = 300) -> None:
    """Returns as soon as there is a file or folder."""
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        assert time.monotonic() < deadline, f"{path} is not there after {seconds} s"
        time.sleep(0.02)
