"""A directory appears whole or not at all: written beside its place, flushed, then renamed once."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator

import tensorflow as tf

from estimator_slim.errors import DestinationError


@contextlib.contextmanager
def published(directory: str) -> Iterator[str]:
    """A temporary sibling of `directory` to write into, renamed to it when the block ends well.

    The sibling's name does not parse as an integer, so a server polling the parent ignores it; it is
    removed when the block raises, and so are the parent folders made for it.

    Raises:
      DestinationError: `directory` exists, before or after the work, or cannot be written.
    """
    directory = directory.rstrip("/")
    _refuse_existing(directory)
    parent, name = os.path.split(directory)
    temporary = os.path.join(parent, f"temp-{name}-{uuid.uuid4().hex[:8]}")
    missing = _missing_parents(parent)
    try:
        tf.io.gfile.makedirs(temporary)
    except (tf.errors.OpError, OSError) as e:
        raise DestinationError(f"{parent or '.'} cannot be written ({e}); give a destination in a "
                               "folder that this user may write") from e
    try:
        yield temporary
        _flush(temporary)
        _refuse_existing(directory)
        tf.io.gfile.rename(temporary, directory, overwrite=False)
        _flush_folder(parent or ".")
    except BaseException:
        with contextlib.suppress(tf.errors.OpError):
            tf.io.gfile.rmtree(temporary)
        for folder in missing:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        raise


def _missing_parents(folder: str) -> list[str]:
    """The local folders on the way to `folder` and it itself that are not there yet, deepest first."""
    missing = []
    while folder and "://" not in folder and not os.path.exists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing


def _refuse_existing(directory: str) -> None:
    if tf.io.gfile.exists(directory):
        raise DestinationError(f"{directory} exists already and is never overwritten; remove it or "
                               "give another destination")


def _flush(directory: str) -> None:
    """Forces what was written to the disk, where the file system is the machine's own."""
    if "://" in directory:
        return
    for folder, _, files in os.walk(directory):
        for file in files:
            _fsync(os.path.join(folder, file), os.O_RDONLY)
        _flush_folder(folder)


def _flush_folder(folder: str) -> None:
    if "://" not in folder:
        _fsync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _fsync(path: str, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
