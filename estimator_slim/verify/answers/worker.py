"""A Python with TensorFlow that is started once, kept, and does one task after the other.

Starting one takes seconds, asking a small servable a tenth of one. So one worker does all the asking
of this process, for one thread at a time. The first task starts it; a later one starts another where it
died, grew, or was started with another environment than that of now. It ends when this process does.

    this process → its stdin     a line for each task: paths of what is asked, told and printed, as JSON
    its stdout → this process    a line when the task is done: the bytes that it has grown by since it
                                 was new, and the most that it had meanwhile
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from estimator_slim.usage import note_child

# Bytes by which a worker that is kept may have grown. A servable of whatever size leaves 40 MB behind,
# so more than this is a leak; and up to here it costs the training no more than TensorFlow itself does.
GROWTH = 1 << 28
IDLE = 600.0  # seconds without a task after which it ends and gives back what TensorFlow takes of memory
NOT_STARTED = 127  # the exit code of what cannot be started, as shells have it
_LOOK = 1.0  # seconds from one look whether it is alive to the next

# The path comes first, as what this process has: `python -c` would look into the current folder.
# Its stdin ends when this process does, however it does. What servables print stays out of its stdout.
_START = """
import sys
sys.path[:] = {path!r}
import os, queue, threading

tasks, done = queue.SimpleQueue(), os.dup(1)
os.dup2(2, 1)

def read():
    for line in open(0, "rb", buffering=0, closefd=False):
        tasks.put(line)
    os._exit(1)

threading.Thread(target=read, daemon=True).start()
from estimator_slim.verify.answers.asking import main
main(tasks, done, {idle!r})
"""
_ISOLATING = {"isolated": "-I", "ignore_environment": "-E", "no_user_site": "-s", "no_site": "-S"}

_kept: _Worker | None = None
_lock = threading.Lock()


@dataclass(frozen=True)
class Ended:
    """How a task ended.

    Attributes:
      code: None where it is done; else the exit code of the worker, which ended over it.
      late: the worker was ended because it took too long.
      reused: the worker was there before this task.
      why: the error where none could be started.
    """

    code: int | None
    late: bool = False
    reused: bool = False
    why: str = ""


def work(asked: str, told: str, printed: str, seconds: float) -> Ended:
    """Lets the worker do a task, after those that other threads gave it.

    Args:
      asked: the file with what it is to ask.
      told: the file for what it tells.
      printed: the file for what it prints.
      seconds: that it may take, its start included.
    """
    global _kept
    with _lock:
        try:
            start = _Start.now()
            reused = _kept is not None and _kept.serves(start)
            if not reused:
                _end()
            _kept = worker = _kept or _Worker(start, printed)
        except OSError as error:
            return Ended(NOT_STARTED, why=str(error))
        line = None
        try:
            line = worker.do([asked, told, printed], seconds)
        finally:  # where this is interrupted too: its line would be taken for that of the next task
            grown, peak = map(int, (line or b"0 0").split())
            note_child(peak)
            code = None if line and grown <= GROWTH else _end()
        return Ended(None if line else code, line is None, reused)


def is_there() -> bool:
    """Whether a process to ask in has been started, and is alive."""
    return _kept is not None and _kept.is_alive()


def end_worker() -> None:
    """Ends the process that asks servables, where there is one; the next question starts another.

    It also ends 10 minutes after the last question, and with this process.
    """
    with _lock:
        _end()


def environment() -> dict[str, str]:
    """Of a worker: no GPU, which belongs to the training, no part in a cluster, and causes for a log.

    What a servable took is given back: TensorFlow's own allocator would keep as much as the largest
    took, and the system's would keep blocks of up to 32 MB unless it is told otherwise.
    """
    inherited = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    return {**inherited, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONFAULTHANDLER": "", "TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1",
            "MALLOC_MMAP_THRESHOLD_": str(1 << 20)}


@dataclass(frozen=True)
class _Start:
    """What a worker is started with; it serves as long as another would be started with the same."""

    command: list[str]
    environment: dict[str, str]
    folder: tuple[int, int]  # the current one, where relative paths begin: device and inode

    @classmethod
    def now(cls) -> _Start:
        path = [entry for entry in sys.path if isinstance(entry, str)]  # Python ignores others
        flags = [flag for name, flag in _ISOLATING.items() if getattr(sys.flags, name)]
        folder = os.stat(os.curdir)
        return cls([sys.executable or "", *flags, "-c", _START.format(path=path, idle=IDLE)],
                   environment(), (folder.st_dev, folder.st_ino))


class _Worker:
    """One process, used by one thread at a time."""

    def __init__(self, start: _Start, printed: str) -> None:
        """Starts it, or raises OSError. `printed`: the file for what it prints before its first task."""
        if not start.command[0]:  # where Python is a part of another program
            raise FileNotFoundError("sys.executable names no Python")
        with open(printed, "ab") as file:
            self._process = subprocess.Popen(
                start.command, env=start.environment, bufsize=0, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=file, start_new_session=True)
        assert self._process.stdin and self._process.stdout
        self._start, self._stdin, self._stdout = start, self._process.stdin, self._process.stdout

    def serves(self, start: _Start) -> bool:
        """Whether it is alive, and as it would be started now."""
        return self.is_alive() and self._start == start

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def do(self, task: list[str], seconds: float) -> bytes | None:
        """Its line when the task is done; none where it ended over it, None where it takes longer."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(BrokenPipeError):  # it ended
            self._stdin.write(json.dumps(task).encode() + b"\n")
        heard = select.poll()
        heard.register(self._stdout, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            if heard.poll(1000 * min(left, _LOOK)):
                line = self._stdout.readline()
                if not line:
                    self._process.wait()
                return line
            if self._process.poll() is not None:  # what was forked from this process may hold the pipe
                return b""
        return None

    def end(self) -> int:
        """Ends it unless it did; its exit code."""
        with self._process:  # closes the pipes and waits
            self._process.kill()
        return self._process.returncode

    def leave(self) -> None:
        """Closes what keeps it alive."""
        self._stdin.close()
        self._stdout.close()


def _end() -> int | None:
    """Ends the worker, where there is one; its exit code."""
    global _kept
    ended, _kept = _kept, None
    return ended.end() if ended else None


def _end_at_exit() -> None:
    """Not while a thread uses it that does not keep this process: then it ends after this one."""
    if _lock.acquire(blocking=False):
        _end()


def _leave_in_a_fork() -> None:
    """A process forked from this one asks by a worker of its own, and keeps none of this one's alive."""
    global _kept, _lock
    if _kept:
        _kept.leave()
    _kept, _lock = None, threading.Lock()


atexit.register(_end_at_exit)
os.register_at_fork(after_in_child=_leave_in_a_fork)
