"""A Python that runs one function of estimator_slim and ends when this process does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

# Nobody writes to its stdin: what it reads there is that this process ended, however it did.
# The path comes first, as what this process has: `python -c` would look into the current folder.
_START = """
import sys
sys.path[:] = {path!r}
import os, threading

def end():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=end, daemon=True).start()
from estimator_slim.verify.answers.asking import main
main(*sys.argv[1:])
"""
_ISOLATING = {"isolated": "-I", "ignore_environment": "-E", "no_user_site": "-s", "no_site": "-S"}
_LINES, _LENGTH = 3, 300  # of what it wrote last, in messages


def run(arguments: list[str], log: str, seconds: float) -> int | None:
    """Lets a process run `asking.main`.

    Args:
      arguments: of the function.
      log: a file for what it prints.
      seconds: that it may take.

    Returns:
      Its exit code, or None where it had to be ended; 127 where none can be started.
    """
    path = [entry for entry in sys.path if isinstance(entry, str)]  # Python ignores others
    code = _START.format(path=path)
    with open(log, "wb") as file:
        try:
            child = _started([sys.executable, *_flags(), "-c", code, *arguments], file)
        except OSError as error:
            file.write(str(error).encode())
            return 127
    with child:
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            child.kill()


def _started(command: list[str], file: Any) -> subprocess.Popen:
    if not command[0]:  # where Python is a part of another program
        raise FileNotFoundError("sys.executable names no Python")
    return subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=file, stderr=file,
                            start_new_session=True)


def _flags() -> list[str]:
    """Of Python: those that keep it from importing more at its start than this process did."""
    return [flag for name, flag in _ISOLATING.items() if getattr(sys.flags, name)]


def environment() -> dict[str, str]:
    """Of a child: no GPU, which belongs to the training, no part in a cluster, and causes for a log."""
    inherited = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    return {**inherited, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONFAULTHANDLER": ""}


def ended(code: int, log: str) -> str:
    """`SIGABRT: the last lines that it wrote`."""
    with open(log, "rb") as file:
        text = file.read().decode(errors="replace")
    lines = [" ".join(line.split())[:_LENGTH] for line in text.splitlines() if line.strip()]
    told = " ".join(lines[-_LINES:])
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"{name}: {told}" if told else name
