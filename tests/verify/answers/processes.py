"""The processes that ask servables, as seen from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def ended(process: subprocess.Popen) -> Iterator[None]:
    """Kills a process at the end of the block, and the child that asks."""
    started: list[int] = []
    try:
        started += wait_for(lambda: workers(process.pid))
        yield
    finally:
        process.kill()
        process.wait()
        for one in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)


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
