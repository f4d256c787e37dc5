"""training_left_in: which rows training moved, told from what each optimizer left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from estimator_slim.graph import Training
from tests.training.asking import left_of, rows_of
from tests.training.tables import EARLY, LAST, alone, moved, optimizers


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
