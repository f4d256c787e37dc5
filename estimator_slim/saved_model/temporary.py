"""Temporary folders beside a version: locked while their process lives, removed once it is dead.

    temp-1700000001-5f3e8a01c2d49b07    temp-<version>-<machine><random>, eight hexadecimal digits each

A server takes folders named by an integer for versions, and no others.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import socket
import time
import uuid
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from estimator_slim.errors import DestinationError

UNTOUCHED_SECONDS = 24 * 60 * 60  # after which a folder is abandoned, where no lock can tell
_NAME = re.compile(r"temp-.+-([0-9a-f]{8})[0-9a-f]{8}")
_ATTEMPTS = 10


@contextlib.contextmanager
def temporary_folder(directory: str) -> Iterator[str]:
    """A new folder beside `directory`, locked; what is left of it when the block ends is removed.

    Raises:
      DestinationError: it cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = _create(directory, stack)
        except (tf.errors.OpError, OSError) as e:
            raise DestinationError(f"{os.path.dirname(directory) or '.'} cannot be written ({e}); give "
                                   "a destination in a folder that this user may write") from e
        try:
            yield folder
        finally:
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.rmtree(folder)


def temporary_name(directory: str) -> str:
    """A new path beside `directory`, of a temporary folder of this machine."""
    parent, name = os.path.split(directory)
    return os.path.join(parent, f"temp-{name}-{_machine()}{uuid.uuid4().hex[:8]}")


def remove_abandoned(parent: str) -> None:
    """Removes the temporary folders in `parent` whose process is dead; what fails is only logged.

    Dead is whose lock is free. Where a lock says nothing (the file system has none, or the folder is
    another machine's) it is what nobody touched for a day.
    """
    for name in _listed(parent):
        named = _NAME.fullmatch(name)
        if named is None:
            continue
        folder = os.path.join(parent, name)
        try:
            _remove_if_abandoned(folder, lock_tells=named[1] == _machine())
        except (FileNotFoundError, tf.errors.NotFoundError):
            pass  # renamed by its process or removed by another meanwhile
        except (OSError, tf.errors.OpError) as e:
            logging.warning("estimator_slim: %s, left by a process that died, cannot be removed (%s); "
                            "remove it yourself", folder, e)


@contextlib.contextmanager
def locked(folder: str) -> Iterator[bool | None]:
    """Locks a folder for the block: True; False: another process has; None: there are no locks here.

    Raises:
      FileNotFoundError: it is gone.
    """
    if "://" in folder:
        yield None
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _create(directory: str, stack: contextlib.ExitStack) -> str:
    """Makes a folder and locks it until `stack` closes."""
    for _ in range(_ATTEMPTS):
        folder = temporary_name(directory)
        tf.io.gfile.makedirs(folder)
        with contextlib.suppress(FileNotFoundError):
            if stack.enter_context(locked(folder)) is not False and tf.io.gfile.exists(folder):
                return folder
        # It was found without a lock, and taken for abandoned.
    raise FileNotFoundError(f"{_ATTEMPTS} new folders in it were removed at once")


def _remove_if_abandoned(folder: str, *, lock_tells: bool) -> None:
    with locked(folder) as mine:
        if mine is False or not (mine and lock_tells or _untouched(folder)):
            return
        logging.info("estimator_slim: removing %s, which a process that died left unfinished", folder)
        tf.io.gfile.rmtree(folder)


def _untouched(folder: str) -> bool:
    """Whether the last change of anything in a folder is known, and long ago."""
    paths = [os.path.join(path, name) for path, _, files in tf.io.gfile.walk(folder)
             for name in ("", *files)]
    newest = max((tf.io.gfile.stat(path).mtime_nsec for path in paths), default=0) / 1e9
    return 0 < newest < time.time() - UNTOUCHED_SECONDS


def _listed(folder: str) -> list[str]:
    """The names in a folder, sorted; none where it cannot be listed."""
    with contextlib.suppress(tf.errors.OpError):
        return sorted(name.rstrip("/") for name in tf.io.gfile.listdir(folder))
    return []


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
