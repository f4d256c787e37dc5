"""A server that polls the slim folder during a training run loads every version, whole and right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.exporting import ORIGINALS, SLIMS
from tests.faults.watching import KEPT, watched
from tests.support import training
from tests.support.once import Once

EXPORTS = [7, pytest.param(60, marks=pytest.mark.long)]


@pytest.fixture(scope="module", params=EXPORTS)
def run(request: Any, once: Once) -> tuple:
    return once(f"faults/watched-{request.param}",
                lambda folder: (folder, *watched(folder, request.param)))


def test_every_version_is_loaded_and_no_load_fails(run: tuple) -> None:
    folder, _, watch, _ = run
    assert watch.failed == []
    assert sorted(watch.loaded) == training.versions(folder / "aside")
    assert len(watch.loaded) >= EXPORTS[0]
    assert watch.polls > len(watch.loaded)


def test_every_version_answers_as_its_original_did(run: tuple) -> None:
    _, _, _, wrong = run
    assert wrong == []


def test_old_versions_are_collected_under_the_servers_eyes(run: tuple) -> None:
    folder, _, watch, _ = run
    assert len(watch.collected) == len(watch.loaded) - KEPT
    assert training.versions(folder / SLIMS) == training.versions(folder / ORIGINALS)


def test_each_export_is_logged_and_nothing_is_complained_of(run: tuple) -> None:
    _, logged, watch, _ = run
    assert sum(" kB → " in line for line in logged) == len(watch.loaded)
    assert not [line for line in logged if not line.startswith("INFO: estimator_slim: ")]
