"""The variables of a servable, written once more and changed, with checksums that are right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from estimator_slim.checkpoint.writer import CheckpointWriter
from tests.support.by_hand import stored


def rewritten(directory: Path, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
    """Has `change` edit key → tensor of all in `variables/`, and writes what that is then."""
    tensors = stored(str(directory))
    change(tensors)
    with CheckpointWriter(str(directory / "variables" / "variables")) as writer:
        for key, value in sorted(tensors.items()):
            writer.add(key, value.dtype, value.shape, iter([value]))
