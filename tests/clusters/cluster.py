"""A cluster on loopback: starts its processes, each with its TF_CONFIG, and ends them."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.support.processes import environment

LIMIT = 900  # seconds, on a machine that does much else
Task = tuple[str, int]


class Cluster:
    """The processes of one training."""

    def __init__(self, program: str, model_dir: Path, addresses: dict[str, list[str]]) -> None:
        self._program, self.model_dir, self._addresses = program, model_dir, addresses
        self.alive: list[subprocess.Popen] = []

    def start(self, kind: str, index: int = 0, *arguments: str) -> subprocess.Popen:
        """Starts a task, whose program is given these arguments behind the model_dir."""
        task = json.dumps({"cluster": self._addresses, "task": {"type": kind, "index": index}})
        with open(self.log(kind, index), "ab") as log:
            self.alive.append(subprocess.Popen(
                [sys.executable, "-m", f"tests.clusters.{self._program}", str(self.model_dir),
                 *arguments],
                env=environment(TF_CONFIG=task, TF_GRPC_REUSE_PORT="1"), stdout=log, stderr=log))
        return self.alive[-1]

    def log(self, kind: str, index: int = 0) -> Path:
        """Where a task's output goes."""
        return self.model_dir.parent / f"{kind}{index}.log"

    def wait_for_end(self, *processes: subprocess.Popen) -> None:
        """Waits until these are done, and well; an error has what all have logged."""
        def failed() -> bool:
            return any(process.poll() for process in processes)

        wait_until(lambda: failed() or all(process.poll() == 0 for process in processes), "not done")
        assert not failed(), "\n".join(f"{log}:\n{log.read_text()[-5000:]}"
                                       for log in sorted(self.model_dir.parent.glob("*.log")))


@contextlib.contextmanager
def cluster(program: str, model_dir: Path, tasks: Sequence[Task]) -> Iterator[Cluster]:
    """A cluster of these tasks, whose ports are nobody else's; all that are alive at its end are ended.

    Args:
      program: a module in this folder.
      model_dir: of the training.
      tasks: of the cluster, as (type, index); none is started yet.
    """
    with contextlib.ExitStack() as sockets:
        addresses: dict[str, list[str]] = {}
        for kind, _ in tasks:
            bound = sockets.enter_context(socket.socket())
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind(("127.0.0.1", 0))
            addresses.setdefault(kind, []).append(f"127.0.0.1:{bound.getsockname()[1]}")
        made = Cluster(program, model_dir, addresses)
        try:
            yield made
        finally:
            for process in made.alive:
                process.kill()
                process.wait()


def wait_until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < deadline, f"after {LIMIT} s: {what}"
        time.sleep(0.05)
