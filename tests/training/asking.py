"""Asks what training left of the tables of a servable."""

from __future__ import annotations

from typing import Any

import numpy as np

from estimator_slim.freezing import freeze
from estimator_slim.graph import Training
from estimator_slim.saved_model import read_servable
from estimator_slim.training import training_left_in
from tests.training.tables import ROWS


def left_of(servable: str, prefix: str, **arguments: Any) -> dict[str, Training]:
    """What training left, by the variables of a servable."""
    source, found = read_servable(servable), {}
    training_of = training_left_in(prefix, source.checkpoint, **arguments)

    def asked(name: str, weight: Any) -> Training | None:
        found[name] = training_of(name, weight)
        return found[name]
    freeze(source, asked)
    return {name: training for name, training in found.items() if training is not None}


def rows_of(left: dict[str, Training], name: str) -> np.ndarray:
    """Which rows of a table were trained, its parts joined, bool [ROWS]."""
    parts = sorted(key for key in left if key == name or key.startswith(f"{name}/part_"))
    assert parts and [left[part].unknown for part in parts] == [""] * len(parts)
    sizes = [ROWS] if len(parts) == 1 else [200, 200, 200]
    return np.concatenate([left[part].trained(0, size) for part, size in zip(parts, sizes)])
