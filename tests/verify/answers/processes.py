"""The processes that ask servables, as seen from outside."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT

_TELLING = "import os; print(os.getpid(), flush=True)\n"


@contextlib.contextmanager
def started(program: str, *directories: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """A process that runs the program, and the number by which the program itself is known."""
    with subprocess.Popen([sys.executable, "-c", _TELLING + program, *directories], cwd=ROOT, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def workers(parent: int) -> list[int]:
    """The processes that a process has started to ask servables and that are still running."""
    started = [int(child) for path in Path(f"/proc/{parent}/task").glob("*/children")
               for child in path.read_text().split()]
    return [child for child in started if is_running(child)
            and b"answers.asking import main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Any, seconds: float = 300) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found
