"""Temporary folders beside a version: locked while their process lives, removed once it is dead.

    temp-1700000001-5f3e8a01c2d49b07    temp-<version>-<machine><random>, eight hexadecimal digits each

A server takes folders named by an integer for versions, and no others.

A temporary folder is made in two steps, first the folder and then its lock. Between the two it looks
dead. So the parent is locked meanwhile, and also while somebody looks whether a folder is dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import socket
import stat
import time
import uuid
from collections.abc import Callable, Iterator

import tensorflow as tf

from estimator_slim import log

UNTOUCHED_SECONDS = 24 * 60 * 60  # after which a folder is abandoned, where no lock can tell
_NAME = re.compile(r"temp-(?P<version>.+)-(?P<machine>[0-9a-f]{8})[0-9a-f]{8}")
_PATIENCE = 10.0  # seconds


@contextlib.contextmanager
def temporary_folder(directory: str, *, private: bool = False) -> Iterator[str]:
    """A new folder beside `directory`, locked; what is left of it when the block ends is removed.

    `private`: no other user may look into it.

    Raises:
      OSError, tf.errors.OpError: it cannot be made, as where it would be in a folder that is missing.
    """
    folder = temporary_name(directory)
    with _made(folder, 0o700 if private else 0o755):
        try:
            yield folder
        finally:
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.rmtree(folder)


def temporary_name(directory: str) -> str:
    """A new path beside `directory`, of a temporary folder of this machine."""
    parent, name = os.path.split(directory)
    return os.path.join(parent, f"temp-{name}-{_machine()}{uuid.uuid4().hex[:8]}")


def remove_contents(folder: str) -> None:
    """Removes what is in a folder, which stays."""
    for name in _listed(folder):
        path = os.path.join(folder, name)
        (tf.io.gfile.rmtree if tf.io.gfile.isdir(path) else tf.io.gfile.remove)(path)


def remove_abandoned(parent: str, version: str | None = None, *,
                     first: Callable[[str], object] = bool) -> None:
    """Removes the temporary folders in `parent` whose process is dead; what fails is only logged.

    A process is dead if nobody holds the lock of its folder. Where a lock says nothing (the file system
    has none, or the folder is another machine's), a folder is abandoned when nobody touched it for a
    day.

    Args:
      parent: a folder; one that cannot be listed has none.
      version: only folders made for it, and by this user; None: all.
      first: is called with each before it is removed, while it is locked.
    """
    for name in _listed(parent):
        named = _NAME.fullmatch(name)
        folder = os.path.join(parent, name)
        try:
            if named and (version is None or version == named["version"] and _is_own(folder)):
                _remove_if_abandoned(folder, lock_tells=named["machine"] == _machine(), first=first)
        except (FileNotFoundError, tf.errors.NotFoundError):
            pass  # renamed by its process or removed by another meanwhile
        except (OSError, tf.errors.OpError) as e:
            log.warning("estimator_slim: %s, left by a process that died, cannot be removed (%s); "
                        "remove it yourself", folder, e)


def is_being_written(directory: str) -> bool:
    """Whether some process, this one too, has a temporary folder for it, as far as locks tell."""
    parent, version = os.path.split(directory)
    for name, of in in_the_making(parent):
        with contextlib.suppress(OSError):
            if of == version:
                with locked(os.path.join(parent, name)) as mine:
                    if mine is False:
                        return True
    return False


def in_the_making(parent: str) -> list[tuple[str, str]]:
    """(name, version) of the temporary folders in `parent`."""
    named = ((name, _NAME.fullmatch(name)) for name in _listed(parent))
    return [(name, found["version"]) for name, found in named if found]


def is_of_this_machine(folder: str) -> bool:
    """Whether a process of this machine made a temporary folder."""
    found = _NAME.fullmatch(os.path.basename(folder))
    return found is not None and found["machine"] == _machine()


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


@contextlib.contextmanager
def _made(folder: str, mode: int) -> Iterator[None]:
    """Makes a folder, and locks it for the block."""
    with contextlib.ExitStack() as stack:
        with _patiently_locked(_parent(folder)):
            if "://" in folder:
                tf.io.gfile.makedirs(folder)
            else:
                os.mkdir(folder, mode)
            stack.enter_context(_patiently_locked(folder))
        yield


@contextlib.contextmanager
def _patiently_locked(folder: str) -> Iterator[None]:
    """Locks a folder for the block, if it can be had within ten seconds; else runs the block without.

    What removes folders holds this lock for microseconds. What holds it for ten seconds is another
    program, and no danger to a folder that is being made.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        with locked(folder) as mine:
            if mine is not False or time.monotonic() > deadline:
                yield
                return
        time.sleep(0.001)


def _parent(folder: str) -> str:
    return os.path.dirname(folder) or "."


def _is_own(folder: str) -> bool:
    """Whether it is this user's, and no link, which may lead anywhere."""
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _remove_if_abandoned(folder: str, *, lock_tells: bool, first: Callable[[str], object]) -> None:
    with contextlib.ExitStack() as stack:
        with locked(_parent(folder)) as nobody_makes_one:
            if nobody_makes_one is False:  # then its lock may be wanted right now
                return
            mine = stack.enter_context(locked(folder))
        if mine is False or not tf.io.gfile.exists(folder):  # published meanwhile
            return
        if mine and lock_tells or _untouched(folder):
            log.info("estimator_slim: removing %s, which a process that died left unfinished",
                     folder)
            first(folder)
            tf.io.gfile.rmtree(folder)


def _untouched(folder: str) -> bool:
    """Whether nothing in a folder changed for a day, as far as the file system tells times."""
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
