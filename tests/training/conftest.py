"""The model whose tables are each trained by another optimizer, trained once a run."""

from __future__ import annotations

import pytest

from tests.support.once import Once


@pytest.fixture(scope="session")
def many(once: Once) -> tuple[str, str]:
    """Its servable and the prefix of its last checkpoint; the first is kept beside it."""
    from tests.training.tables import optimizers, train
    return once("training/many", lambda folder: train(folder, optimizers()))
