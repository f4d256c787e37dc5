"""Fifty servables, one of them broken: 49 are done and one is told of; what was killed is taken up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from estimator_slim.cli import exit_codes
from tests.support import many
from tests.support.processes import environment, run_python
from tests.support.training import contents

pytestmark = pytest.mark.long
COUNT, KILLED_AFTER = 50, 10
OPTIMIZE = [sys.executable, "-m", "estimator_slim", "optimize", "models/*/export/best/*", "--out=slim",
            "--jobs=2"]


def slims(folder: Path) -> list[Path]:
    return sorted((folder / "slim").glob(f"*/export/best/{many.VERSION}/saved_model.pb"))


def test_fifty_are_done_but_for_the_broken_one_and_a_killed_run_is_taken_up(tmp_path: Path) -> None:
    models = many.make(tmp_path, COUNT)
    many.break_one(models[7])
    started = subprocess.Popen(OPTIMIZE, cwd=tmp_path, env=environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children: list[psutil.Process] = []
    while len(slims(tmp_path)) < KILLED_AFTER:
        assert started.poll() is None
        children = psutil.Process(started.pid).children(recursive=True)
        time.sleep(0.05)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive  # no process of it goes on
    before = {path: contents(path.parent) for path in slims(tmp_path)}
    assert KILLED_AFTER <= len(before) < COUNT - 1

    done = run_python(*OPTIMIZE[1:], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (exit_codes.FAILED, "")
    summary = json.loads((tmp_path / "slim/summary.json").read_text())
    assert summary["counts"] == {"failed": 1, "published": COUNT - 1 - len(before),
                                 "unchanged": len(before)}
    [failed] = [one["source"] for one in summary["servables"] if one["outcome"] == "failed"]
    assert failed == f"models/m07/export/best/{many.VERSION}"
    assert len(slims(tmp_path)) == COUNT - 1
    assert {path: contents(path.parent) for path in before} == before
    assert not [*(tmp_path / "slim").rglob("temp-*"), *(tmp_path / "slim").rglob("*.begun")]

    again = run_python(*OPTIMIZE[1:], cwd=tmp_path)
    assert again.returncode == exit_codes.FAILED
    assert again.stdout.splitlines()[-1].startswith("49 of 50 servables done: 1 failed, 49 unch")
