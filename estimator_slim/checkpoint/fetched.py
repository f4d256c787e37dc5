"""Bytes of a file in a store, by range, and each fetched once: what was read is kept on this disk.

A table is read several times over: to find equal rows, for its scales, to write its codes. What is kept
has no name on the disk, and is gone when nobody reads the file any more.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import weakref
from collections import defaultdict

import numpy as np
import tensorflow as tf
from tensorflow.python.lib.io import _pywrap_file_io

from estimator_slim import log

BLOCK_BYTES = 4 << 20  # fetched at once

_open: weakref.WeakValueDictionary[str, FetchedFile] = weakref.WeakValueDictionary()


class FetchedFile:
    """A file in a store, blocks of which are kept on this disk; any thread may read it."""

    def __init__(self, path: str, size: int, changed: int) -> None:
        self._path, self._size, self._changed = path, size, changed
        self._kept = tempfile.TemporaryFile(prefix="estimator_slim-")  # noqa: SIM115  open as long as this lives
        self._there: set[int] = set()
        self._locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)

    def is_of(self, size: int, changed: int) -> bool:
        """Whether the file is as it was when it was opened."""
        return (self._size, self._changed) == (size, changed)

    def fill(self, offset: int, room: np.ndarray) -> int:
        """Reads bytes from `offset` on into `room`, uint8 [size]; returns how many there were.

        Raises:
          tf.errors.OpError: they cannot be fetched.
          OSError: they cannot be kept.
        """
        stop = min(offset + len(room), self._size)
        for number in range(offset // BLOCK_BYTES, -(-stop // BLOCK_BYTES)):
            with self._locks[number]:
                if number not in self._there:
                    self._keep(number)
        return os.preadv(self._kept.fileno(), [room.data], offset)

    def _keep(self, number: int) -> None:
        at = number * BLOCK_BYTES
        octets = fetch(self._path, at, min(BLOCK_BYTES, self._size - at))
        os.pwrite(self._kept.fileno(), octets, at)
        self._there.add(number)


def opened(path: str, size: int, changed: int) -> FetchedFile | None:
    """The file at `path` of a store, whose bytes are kept as long as somebody has what is returned.

    None where this disk takes none: then they are fetched whenever they are read.

    Args:
      path: in a store.
      size: its bytes.
      changed: when it was, by the store's clock, in nanoseconds.
    """
    file = _open.get(path)
    if file is None or not file.is_of(size, changed):
        try:
            file = _open[path] = FetchedFile(path, size, changed)
        except OSError as e:
            log.warning("estimator_slim: what is read of %s is not kept on this disk (%s), so it is "
                        "fetched several times; set TMPDIR to a folder with room", path, e)
            return None
    return file


def fill(path: str, offset: int, room: np.ndarray) -> int:
    """As `FetchedFile.fill`, of a file that was opened or of another."""
    file = _open.get(path)
    if file is not None:
        with contextlib.suppress(OSError):  # no room on this disk
            return file.fill(offset, room)
    octets = fetch(path, offset, len(room))
    room[:len(octets)] = np.frombuffer(octets, np.uint8)
    return len(octets)


def fetch(path: str, offset: int, size: int) -> bytes:
    """So many bytes of a file, in one request where TensorFlow's file system makes one.

    GFile would make one for each half megabyte.

    Raises:
      tf.errors.OpError: they cannot be fetched.
    """
    stream = _pywrap_file_io.BufferedInputStream(tf.compat.as_str_any(path), max(1, size))
    stream.seek(offset)
    return bytes(stream.read(size))
