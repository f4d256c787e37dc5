"""A training on several processes: each version has its slim twin at the end, whoever dies meanwhile."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from estimator_slim import load_report
from tests.support.alike import assert_alike
from tests.support.ask import ask
from tests.support.processes import environment, run_python
from tests.support.training import requests, versions

LIMIT = 900  # seconds, on a machine that does much else
TASKS = [("chief", 0), ("worker", 0), ("ps", 0), ("ps", 1)]
pytestmark = pytest.mark.long


@contextlib.contextmanager
def cluster(model_dir: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Gives what starts a task; all that are alive at the end are ended."""
    with contextlib.ExitStack() as sockets:
        free = [sockets.enter_context(socket.socket()) for _ in TASKS]
        for one in free:
            one.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in free]
    named: dict[str, list[str]] = {}
    for (kind, _), address in zip(TASKS, addresses):
        named.setdefault(kind, []).append(address)
    alive: list[subprocess.Popen] = []

    def start(kind: str, index: int = 0, *arguments: str) -> subprocess.Popen:
        task = json.dumps({"cluster": named, "task": {"type": kind, "index": index}})
        with open(model_dir.parent / f"{kind}{index}.log", "ab") as log:
            alive.append(subprocess.Popen(
                [sys.executable, "-m", "tests.exporter.cluster", str(model_dir), *arguments],
                env=environment(TF_CONFIG=task), stdout=log, stderr=log))
        return alive[-1]

    try:
        yield start
    finally:
        for process in alive:
            process.kill()
            process.wait()


def wait_until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < deadline, f"after {LIMIT} s: {what}"
        time.sleep(0.05)


@pytest.mark.parametrize("background", [(), ("--background",)], ids=["", "background"])
def test_every_version_has_its_twin_though_evaluator_and_chief_are_killed(
        tmp_path: Path, background: tuple[str, ...]) -> None:
    model_dir = tmp_path / "model"
    begun = model_dir / "export/best-slim-report"
    with cluster(model_dir) as start:
        evaluator = start("evaluator", 0, *background)
        servers = [start("ps", 0), start("ps", 1)]
        chief, worker = start("chief"), start("worker")
        wait_until(lambda: [*begun.glob("*.begun")], "no optimization is begun")
        evaluator.send_signal(signal.SIGKILL)  # in the midst of it
        chief.send_signal(signal.SIGKILL)
        evaluator.wait()
        chief.wait()
        evaluator, chief = start("evaluator", 0, *background), start("chief")
        wait_until(lambda: chief.poll() is not None, "the chief does not end")
        wait_until(lambda: evaluator.poll() is not None, "the evaluator does not end")
        assert [one.poll() for one in servers] == [None, None], worker.poll()
    assert (chief.returncode, evaluator.returncode) == (0, 0), (tmp_path / "evaluator0.log").read_text()
    for name in ("best", "latest"):
        originals = [one for one in versions(model_dir / "export" / name) if one.isdigit()]
        assert originals[-1] in versions(model_dir / f"export/{name}-slim")
        if background:  # there, newer versions took the place of what waited, and no call came after
            synced = run_python("-m", "estimator_slim", "sync", model_dir, name)
            assert synced.returncode == 0, synced.stdout + synced.stderr
        assert versions(model_dir / f"export/{name}-slim") == originals
        original, slim = (str(model_dir / "export" / f"{name}{suffix}" / originals[-1])
                          for suffix in ("", "-slim"))
        assert load_report(model_dir / f"export/{name}-slim-report/{originals[-1]}.json").error is None
        assert_alike(ask(slim, [requests()]), ask(original, [requests()]), atol=0.05)
