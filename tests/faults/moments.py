"""Counts the moments at which a process changes files, and does something at one of them.

A moment is just before or just after a call from Python, in the main thread, to the operating system or
to TensorFlow's file system that changes files, opens or locks them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

WRAPPED = "the wrapped exporter"
_MODULES = ("posix", "fcntl", "tensorflow.python.lib.io._pywrap_file_io")
_CHANGING = ("open", "close", "flock", "fsync", "mkdir", "rmdir", "unlink", "rename", "append",
             "RecursivelyCreateDir", "RenameFile", "CopyFile", "DeleteFile", "DeleteRecursively")
_READING = ("read", "Stat", "FileExists", "IsDirectory", "GetChildren", "scandir")


@contextmanager
def counted(at: int | str | None = None, do: Callable[[], None] | None = None, *,
            reading: bool = False) -> Iterator[list[str]]:
    """Gives the list of the block's moments, in the making, and does something at one of them.

    A moment is told as `before RenameFile by saved_model/publish.py:withdraw`, by the nearest function
    of estimator_slim.

    Args:
      at: the number of a moment, counted from 0, or a text that the first such moment has in it.
      do: called at that moment.
      reading: whether calls that only read files or folders are moments too.
    """
    moments: list[str] = []
    counting = _CHANGING + _READING if reading else _CHANGING

    def profile(frame: Any, event: str, function: Any) -> None:
        if event in ("c_call", "c_return") and _is_one(function, counting):
            when = "before" if event == "c_call" else "after"
            moments.append(f"{when} {function.__name__} by {_caller(frame)}")
            if do is not None and (len(moments) - 1 == at or str(at) in moments[-1]):
                sys.setprofile(None)
                do()

    sys.setprofile(profile)
    try:
        yield moments
    finally:
        sys.setprofile(None)


def kill() -> None:
    """`kill -9` of this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def _is_one(function: Any, names: tuple[str, ...]) -> bool:
    if function.__name__ not in names:
        return False
    owner = getattr(function, "__module__", None) or type(function.__self__).__module__
    return owner in _MODULES


def _caller(frame: Any) -> str:
    while frame is not None and f"{os.sep}estimator_slim{os.sep}" not in frame.f_code.co_filename:
        frame = frame.f_back
    if frame is None or frame.f_code.co_name == "export":
        return WRAPPED
    file = frame.f_code.co_filename.rpartition(f"{os.sep}estimator_slim{os.sep}")[2]
    return f"{file}:{frame.f_code.co_name}"
