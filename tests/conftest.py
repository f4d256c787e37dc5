"""What the tests share: the zoo's exports, each built once a session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from absl import flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # also for the processes that tests start


@pytest.fixture(scope="session", autouse=True)
def nothing_is_verified() -> Iterator[None]:
    """Tests that are not about verification do without; those that are ask for it by name."""
    import estimator_slim  # noqa: F401  defines the flags

    flags.FLAGS["slim_verify"].value = "off"
    yield
    flags.FLAGS["slim_verify"].value = flags.FLAGS["slim_verify"].default


@pytest.fixture(scope="session")
def exported(tmp_path_factory: Any) -> Callable[[str], str]:
    """`exported(name)`: the SavedModel of the zoo's model of that name."""
    paths: dict[str, str] = {}

    def path(name: str) -> str:
        if name not in paths:
            from tests.support.models import MODELS
            paths[name] = MODELS[name].build(str(tmp_path_factory.mktemp(name)))
        return paths[name]
    return path
