"""`kill -9` at any moment of an export costs that export, and nothing else."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.killing import Death, deaths
from tests.faults.moments import WRAPPED

DEATHS = [1, pytest.param(12, marks=pytest.mark.long)]  # at each stage; in verification half as many
STAGES = (WRAPPED, "saved_model/writer.py", "checkpoint/writer.py", "saved_model/files.py",
          "saved_model/publish.py", ":withdraw")


@pytest.fixture(scope="module", params=DEATHS)
def series(request: Any, first_scene: Path, once: Callable) -> list[Death]:
    def killed(folder: Path) -> list[Death]:
        (folder / "verifying").mkdir()
        return [*deaths(first_scene, folder, request.param, seed=1, places=STAGES),
                *deaths(first_scene, folder / "verifying", (request.param + 1) // 2, seed=1,
                        places=["verify/"], verify="enforce")]
    return once(f"faults/deaths-{request.param}", killed)


def test_the_processes_were_killed_at_all_stages_of_the_export(series: list[Death]) -> None:
    assert {death.status for death in series} == {-signal.SIGKILL}
    assert not [stage for stage in (*STAGES, "verify/")
                if not any(stage in death.moment for death in series)]
    assert {bool(death.left) for death in series} == {True, False}


def test_every_version_that_is_there_answers_as_the_original(series: list[Death]) -> None:
    assert [death.wrong for death in series] == [[]] * len(series)
    assert sum(death.slims for death in series) >= 3 * len(series)


def test_originals_stay_byte_for_byte_as_they_were(series: list[Death]) -> None:
    assert [death.originals_changed for death in series] == [[]] * len(series)


def test_a_restart_publishes(series: list[Death]) -> None:
    assert [death.newest for death in series] == [(death.restarted.version, True) for death in series]


def test_a_restart_removes_what_the_dead_left_and_says_so(series: list[Death]) -> None:
    assert [death.swept for death in series] == [[]] * len(series)
    for death in series:
        for name in death.left:
            [line] = [line for line in death.restarted.logged if name in line]
            assert line.startswith("INFO: estimator_slim: removing ")
            assert line.endswith("which a process that died left unfinished")
