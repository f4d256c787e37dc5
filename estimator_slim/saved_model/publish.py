"""A version appears as a whole or not at all, and disappears as a whole: half of one is never seen.

On a file system one rename does both. An object store (`gs://`) has none for folders (`store.py`): there
files are moved one by one, and saved_model.pb, without which nothing loads, comes last and goes first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

import tensorflow as tf

from estimator_slim.errors import DestinationError
from estimator_slim.saved_model.store import is_empty, published_in_store, remove_in_order
from estimator_slim.saved_model.temporary import (
    locked,
    remove_abandoned,
    remove_contents,
    temporary_folder,
    temporary_name,
)


@contextlib.contextmanager
def published(directory: str, *, replacing: bool = False) -> Iterator[str]:
    """A temporary sibling of `directory` to write into, renamed to it when the block ends well.

    The sibling's name does not parse as an integer, so a server polling the parent ignores it; it is
    removed when the block raises, and so are the parent folders made for it. Before the block begins,
    what dead processes left in the parent is removed. An empty folder that is there already is filled
    by the same rename, and keeps its permissions.

    Args:
      directory: of the version.
      replacing: one that is there gives way to it, at the last moment.

    Raises:
      DestinationError: `directory` exists and is not empty, before or after the work, or cannot be
        written.
    """
    directory = directory.rstrip("/")
    if "://" in directory:
        with published_in_store(directory, replacing=replacing) as folder, _writing(directory, folder):
            yield folder
        return
    if os.path.islink(directory) and os.path.isdir(directory):
        directory = os.path.realpath(directory)  # no rename fills what a link leads to
    if not replacing:
        _refuse_existing(directory)
    parent = os.path.dirname(directory)
    missing = _missing_parents(parent)
    remove_abandoned(parent or ".")
    try:
        with _sibling(directory) as temporary, _writing(directory, temporary):
            yield temporary
            _flush(temporary)
            if replacing:
                withdraw(directory)
            _refuse_existing(directory)
            _move(temporary, directory)
            _flush_folder(parent or ".")
    except BaseException:
        for folder in missing:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        raise


def withdraw(directory: str) -> None:
    """Removes a version, if it is still there.

    Raises:
      DestinationError: it cannot be removed.
    """
    try:
        if "://" in directory:
            remove_in_order(directory)
            return
        with locked(directory):
            hidden = temporary_name(directory)
            tf.io.gfile.rename(directory, hidden)
            tf.io.gfile.rmtree(hidden)
    except (FileNotFoundError, tf.errors.NotFoundError):
        pass
    except (OSError, tf.errors.OpError) as e:
        raise DestinationError(f"{directory} cannot be removed ({e}); remove it yourself") from e


def _missing_parents(folder: str) -> list[str]:
    """The local folders on the way to `folder` and it itself that are not there yet, deepest first."""
    missing = []
    while folder and not os.path.exists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing


def _refuse_existing(directory: str) -> None:
    there = tf.io.gfile.exists(directory) or os.path.lexists(directory)  # or a link that leads nowhere
    if there and not is_empty(directory):
        raise DestinationError(f"{directory} exists already and is never overwritten; remove it or "
                               "give another destination")


@contextlib.contextmanager
def _sibling(directory: str) -> Iterator[str]:
    parent = os.path.dirname(directory) or "."
    with contextlib.ExitStack() as stack:
        try:
            tf.io.gfile.makedirs(parent)
            temporary = stack.enter_context(temporary_folder(directory))
        except (OSError, tf.errors.OpError) as e:
            raise DestinationError(f"{parent} cannot be written ({e}); give a destination in a folder "
                                   "that this user may write") from e
        yield temporary


@contextlib.contextmanager
def _writing(directory: str, temporary: str) -> Iterator[None]:
    """Gives errors about files in `temporary` the name of what was to be written, and a way out."""
    try:
        yield
    except (OSError, tf.errors.OpError) as e:
        if temporary not in str(e):
            raise
        raise _unwritten(directory, e) from e


def _unwritten(directory: str, cause: Exception) -> DestinationError:
    return DestinationError(f"{directory} cannot be written ({cause}); check that its disk has space "
                            "left and may be written, or give another destination")


def _move(temporary: str, directory: str) -> None:
    """Gives a finished folder its name; where that fails, nothing of it is left at that name."""
    empty = is_empty(directory)
    try:
        if empty:
            shutil.copymode(directory, temporary)
        tf.io.gfile.rename(temporary, directory, overwrite=empty)  # fails where it is no longer empty
    except (tf.errors.AlreadyExistsError, tf.errors.FailedPreconditionError) as e:  # or: not empty
        raise DestinationError(f"{directory} exists already: another process has written it meanwhile. "
                               "It is never overwritten; let only one process write it") from e
    except (OSError, tf.errors.OpError) as e:
        with contextlib.suppress(tf.errors.OpError):  # half a rename: a store that is mounted
            (remove_contents if empty else remove_in_order)(directory)  # does it file by file
        raise _unwritten(directory, e) from e


def _flush(directory: str) -> None:
    """Forces what was written to the disk."""
    for folder, _, files in os.walk(directory):
        for file in files:
            _fsync(os.path.join(folder, file), os.O_RDONLY)
        _flush_folder(folder)


def _flush_folder(folder: str) -> None:
    _fsync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _fsync(path: str, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    except OSError as e:
        raise OSError(e.errno, e.strerror, path) from e
    finally:
        os.close(descriptor)
