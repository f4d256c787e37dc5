"""Runs functions, each in a process of its own, forked from one in which TensorFlow is imported already.

    python -m tests.faults.forked    reads pickled lists of jobs and writes lists of outcomes
"""

from __future__ import annotations

import atexit
import functools
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import environment, keep_what_is_imported

SIDE_BY_SIDE = max(2, os.cpu_count() or 1)
LIMIT_SECONDS = 600  # for one function; what hangs is killed


@dataclass(frozen=True)
class Job:
    """A function that another process can import by its name, and its arguments by name."""

    function: Callable
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a process ended.

    Attributes:
      status: 0, or the signal that killed it, negative, or 1 where the function raised.
      value: what the function returned, or the traceback; None where it was killed.
    """

    status: int
    value: Any


def run(jobs: Sequence[Job]) -> list[Outcome]:
    """Runs the jobs side by side, started in their order. One that raises is an AssertionError here."""
    server = _server()
    pickle.dump(list(jobs), server.stdin)
    server.stdin.flush()
    outcomes = pickle.load(server.stdout)
    for outcome in outcomes:
        assert outcome.status <= 0, outcome.value
    return outcomes


def shared(function: Callable, items: Sequence[Any], **arguments: Any) -> list[Any]:
    """`[function(item, **arguments) for item in items]`, by a few processes, each with its share."""
    shares = [items[start::SIDE_BY_SIDE] for start in range(SIDE_BY_SIDE)]
    done = run([Job(_each, {"function": function, "items": share, "arguments": arguments})
                for share in shares])
    return [done[i % SIDE_BY_SIDE].value[i // SIDE_BY_SIDE] for i in range(len(items))]


def _each(function: Callable, items: Sequence[Any], arguments: dict[str, Any]) -> list[Any]:
    return [function(item, **arguments) for item in items]


@functools.lru_cache(None)
def _server() -> Any:
    """The process to fork from; it ends with this one."""
    server = subprocess.Popen([sys.executable, "-m", "tests.faults.forked"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
    atexit.register(server.communicate)
    return server


def main() -> None:
    from tests.faults import exporting  # noqa: F401  with TensorFlow
    keep_what_is_imported()
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what functions print is not mixed with the outcomes
    while True:
        try:
            jobs = pickle.load(requests)
        except EOFError:
            return
        with tempfile.TemporaryDirectory() as folder:
            pickle.dump(_all(jobs, Path(folder)), answers)
        answers.flush()


def _all(jobs: list[Job], folder: Path) -> list[Outcome]:
    running: dict[int, int] = {}
    outcomes: list[Any] = [None] * len(jobs)
    for number, job in enumerate(jobs):
        if len(running) == SIDE_BY_SIDE:
            _wait(running, outcomes, folder)
        running[_start(job, folder / str(number))] = number
    while running:
        _wait(running, outcomes, folder)
    return outcomes


def _start(job: Job, result: Path) -> int:
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        signal.alarm(LIMIT_SECONDS)
        result.write_bytes(pickle.dumps(job.function(**job.arguments)))
        status = 0
    except BaseException:
        result.write_bytes(pickle.dumps(traceback.format_exc()))
    finally:
        os._exit(status)


def _wait(running: dict[int, int], outcomes: list[Any], folder: Path) -> None:
    process, status = os.wait()
    number, status = running.pop(process), os.waitstatus_to_exitcode(status)
    value = pickle.loads((folder / str(number)).read_bytes()) if status >= 0 else None
    outcomes[number] = Outcome(status, value)


if __name__ == "__main__":
    from tests.faults.forked import (
        main,  # what is unpickled belongs to the importable module, not to this one
    )

    main()
