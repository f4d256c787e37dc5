"""What a piece of work takes: seconds, and the memory of this process and of those that work for it.

    with measured() as usage:
        ...
    usage.seconds, usage.peak_memory

The system knows the most memory that a process ever had, and a training has had more before. So where a
piece of work does not raise that, it is looked at every few milliseconds.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_EVERY = 0.05  # seconds from one look to the next
_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of getrusage's maxrss


@dataclass
class Usage:
    """What a piece of work took.

    Attributes:
      seconds: by the clock.
      peak_memory: bytes, the most that this process had meanwhile, all it had before included.
      child_peak_memory: bytes, the most of one process that worked for it; 0 where none did.
    """

    seconds: float = 0.0
    peak_memory: int = 0
    child_peak_memory: int = 0


@contextlib.contextmanager
def measured() -> Iterator[Usage]:
    """Measures the block; the numbers are there when it has ended, however it ends.

    Blocks in it may be measured too.
    """
    usage, started = Usage(), time.monotonic()
    most, most_of_children = _most(resource.RUSAGE_SELF), _most(resource.RUSAGE_CHILDREN)
    with _watched(usage):
        try:
            yield usage
        finally:
            usage.seconds = time.monotonic() - started
            now, of_children = _most(resource.RUSAGE_SELF), _most(resource.RUSAGE_CHILDREN)
            _note(now if now > most else max(usage.peak_memory, resident_memory()))
            if of_children > most_of_children:
                usage.child_peak_memory = max(usage.child_peak_memory, of_children)


def note_child(peak: int) -> None:
    """Says of a process that has worked for what is being measured, in this thread, how much it took."""
    watch = _watch.get()
    for usage in watch.open if watch else ():
        usage.child_peak_memory = max(usage.child_peak_memory, peak)


def _note(memory: int) -> None:
    """Has what is being measured, in this thread, know of so much memory of this process."""
    watch = _watch.get()
    for usage in watch.open if watch else ():
        usage.peak_memory = max(usage.peak_memory, memory)


def forget_most_memory() -> None:
    """Begins anew to keep the most memory of this process, where the system can (Linux)."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def most_memory() -> int:
    """Bytes, the most that this process ever had, or since `forget_most_memory`."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/status", "rb") as file:
        return int(file.read().split(b"VmHWM:")[1].split()[0]) * 1024
    return _most(resource.RUSAGE_SELF)


def resident_memory() -> int:
    """Bytes that this process has now; 0 where the system does not tell."""
    with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as file:
        return _resident(file)
    return 0


def _resident(statm: IO[bytes]) -> int:
    return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _most(whose: int) -> int:
    """Bytes, the most of this process, or of all that it started and that have ended."""
    return resource.getrusage(whose).ru_maxrss * _UNIT


class _Watch:
    """Looks at the memory of this process every few milliseconds until it is ended."""

    def __init__(self) -> None:
        self.open: list[Usage] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        with contextlib.suppress(OSError), open("/proc/self/statm", "rb", buffering=0) as file:
            while not self._ended.wait(_EVERY):
                file.seek(0)
                now = _resident(file)
                for usage in tuple(self.open):
                    usage.peak_memory = max(usage.peak_memory, now)


_watch: contextvars.ContextVar[_Watch | None] = contextvars.ContextVar("watch", default=None)


@contextlib.contextmanager
def _watched(usage: Usage) -> Iterator[None]:
    """Has the watch of this thread look for `usage` too; the outermost block has one made and ended."""
    outer = _watch.get()
    watch = outer or _Watch()
    token = _watch.set(watch)
    watch.open.append(usage)
    try:
        yield
    finally:
        watch.open = [one for one in watch.open if one is not usage]
        _watch.reset(token)
        if outer is None:
            watch.end()
