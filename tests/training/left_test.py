"""training_left_in: which rows training moved, told from what each optimizer left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from estimator_slim.freezing import freeze
from estimator_slim.graph import Training
from estimator_slim.saved_model import read_servable
from estimator_slim.training import training_left_in
from tests.support.once import Once
from tests.training.tables import EARLY, LAST, ROWS, alone, moved, optimizers, train

STEPS = 6


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


@pytest.fixture(scope="module")
def many(once: Once) -> tuple[str, str]:
    """A model with a table for each optimizer."""
    return once("training/many", lambda folder: train(folder, optimizers(), STEPS))


@pytest.fixture(scope="module")
def left(many: tuple[str, str], tmp_path_factory: Any) -> dict[str, Training]:
    """What its last checkpoint tells, alone."""
    servable, prefix = many
    return left_of(servable, alone(prefix, tmp_path_factory.mktemp("alone") / "model"))


@pytest.mark.parametrize("name", optimizers())
def test_what_training_moved_is_never_said_to_be_untrained(
        left: dict, many: tuple[str, str], name: str) -> None:
    distance = moved(many[1], name)
    trained = rows_of(left, name)
    deviation = 0.1 / np.sqrt(3)
    assert (distance[:LAST] > 1e-4 * deviation).sum() > 150
    assert not trained[LAST:].any()
    assert not (distance > 1e-4 * deviation)[~trained].any()


@pytest.fixture(scope="module")
def left_with_first(many: tuple[str, str]) -> dict[str, Training]:
    """What it tells with the checkpoint of step 0 beside it."""
    return left_of(*many)


@pytest.mark.parametrize("name", optimizers())
def test_with_the_first_checkpoint_each_row_that_moved_is_trained(
        left_with_first: dict, many: tuple[str, str], name: str) -> None:
    trained = rows_of(left_with_first, name)
    assert trained[moved(many[1], name) > 0].all()
    assert trained[EARLY:LAST].all()
    assert not trained[LAST:].any()
