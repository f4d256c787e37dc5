"""A version in an object store, which renames no folder: its files are moved there one by one.

    <temporary folder>/estimator_slim-store-...   written and verified on this machine's disk
    gs://bucket/best-slim/temp-7-<id>/            copied here, with a claim: who moves it, until when
    gs://bucket/best-slim/7/                      moved here by the store itself, saved_model.pb last

So a server that polls the folder finds nothing that it could load before all is there, for as short a
time as can be. Which files there are is known from the disk, for a store may list late what it has.

Of two processes that claim one version one goes on. Where one was killed in mid-move its claim tells so,
at once on its own machine and after a while on others; what it left goes when the next one publishes.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator

import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import DestinationError
from estimator_slim.saved_model.temporary import (
    in_the_making,
    is_of_this_machine,
    remove_abandoned,
    temporary_folder,
    temporary_name,
)

READ_FIRST = "saved_model.pb"
_NAME = "estimator_slim-store"  # of the folder on this machine's disk
_CLAIM = "claim"
_SHORTEST, _SLOWEST = 600.0, 1e6  # seconds that a claim holds, and bytes a second that it allows for
_PATIENCE, _LOOK = 10.0, 0.2      # seconds that one who goes on waits for the others to withdraw


@contextlib.contextmanager
def published_in_store(directory: str, *, replacing: bool = False) -> Iterator[str]:
    """A folder on this machine's disk to write into, which is in the store when the block ends well.

    `replacing`: what is at `directory` gives way to it, when all is ready to be moved.

    Raises:
      DestinationError: `directory` is there and not empty, before or after the work, or cannot be
        written.
    """
    _remove_what_the_dead_left(os.path.dirname(directory))
    if not replacing:
        _refuse_existing(directory)
    with _folder_on_disk() as folder:
        yield folder
        _publish(folder, directory, replacing)


@contextlib.contextmanager
def _folder_on_disk() -> Iterator[str]:
    here = "the temporary folder"
    with contextlib.ExitStack() as stack:
        try:
            here = tempfile.gettempdir()
            remove_abandoned(here, _NAME)
            folder = stack.enter_context(temporary_folder(os.path.join(here, _NAME), private=True))
        except OSError as e:
            raise DestinationError(f"{here} cannot be written ({e}); what goes into a store is written "
                                   "there first. Set TMPDIR to another folder") from e
        yield folder


def remove_in_order(directory: str) -> None:
    """Removes a folder so that a server that comes in between finds nothing that it could load."""
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.remove(os.path.join(directory, READ_FIRST))
    tf.io.gfile.rmtree(directory)


def is_empty(directory: str) -> bool:
    """Whether it is a folder with nothing in it."""
    return tf.io.gfile.isdir(directory) and not any(tf.io.gfile.listdir(directory))


def _refuse_existing(directory: str) -> None:
    if tf.io.gfile.exists(os.path.join(directory, READ_FIRST)) or (
            tf.io.gfile.exists(directory) and not is_empty(directory)):
        raise DestinationError(f"{directory} exists already and is never overwritten; remove it or "
                               "give another destination")


def _publish(folder: str, directory: str, replacing: bool) -> None:
    """Copies a finished folder into the store, and moves it to its place."""
    files = [os.path.relpath(os.path.join(path, name), folder)
             for path, _, names in os.walk(folder) for name in names]
    seconds = _SHORTEST + sum(os.path.getsize(os.path.join(folder, one)) for one in files) / _SLOWEST
    staging = temporary_name(directory)
    try:
        for file in files:
            tf.io.gfile.makedirs(os.path.dirname(os.path.join(staging, file)))
            tf.io.gfile.copy(os.path.join(folder, file), os.path.join(staging, file))
        _claim(staging, directory, until=time.time() + seconds)
        if replacing:
            with contextlib.suppress(tf.errors.NotFoundError):
                remove_in_order(directory)
        _refuse_existing(directory)
        _move(staging, directory, sorted(files, key=lambda file: (file == READ_FIRST, file)))
    except tf.errors.OpError as e:
        raise DestinationError(f"{directory} cannot be written ({e.message}); check that the store may "
                               "be written, or give another destination") from e
    finally:
        with contextlib.suppress(tf.errors.OpError):
            tf.io.gfile.rmtree(staging)


def _claim(staging: str, directory: str, until: float) -> None:
    """Claims a version for this process.

    Whoever comes later sees the claim of who came before, since each writes its own before it looks.

    Raises:
      DestinationError: another process has it.
    """
    with tf.io.gfile.GFile(os.path.join(staging, _CLAIM), "w") as file:
        file.write(f"{os.getpid()} {until:.0f}")
    deadline = time.monotonic() + _PATIENCE
    while others := [name for name in _claims(directory) if name != os.path.basename(staging)]:
        if min(others) < os.path.basename(staging) or time.monotonic() > deadline:
            raise _other_process(directory)
        time.sleep(_LOOK)  # until the others withdraw, or the one that came before is done


def _move(staging: str, directory: str, files: list[str]) -> None:
    """Moves the files in this order; where one fails, nothing is left at their place."""
    try:
        for file in files:
            _move_one(os.path.join(staging, file), os.path.join(directory, file))
    except tf.errors.AlreadyExistsError as e:  # its claim was listed too late
        raise _other_process(directory) from e
    except tf.errors.OpError:
        with contextlib.suppress(tf.errors.OpError):
            remove_in_order(directory)
        raise


def _move_one(source: str, target: str) -> None:
    """By the store itself; s3:// moves what it has listed, so nothing at all where its list lags."""
    tf.io.gfile.makedirs(os.path.dirname(target))
    tf.io.gfile.rename(source, target)
    if not tf.io.gfile.exists(target):
        tf.io.gfile.copy(source, target)


def _other_process(directory: str) -> DestinationError:
    return DestinationError(f"{directory} is being written by another process. It is never overwritten; "
                            "let only one process write it")


def _claims(directory: str) -> list[str]:
    """The names of the temporary folders whose processes are moving this version, as far as is known."""
    parent, version = os.path.split(directory)
    return [name for name, of in in_the_making(parent) if of == version
            and _is_alive(os.path.join(parent, name))]


def _is_alive(staging: str) -> bool:
    """Whether the process that claims a version may still be at work."""
    try:
        with tf.io.gfile.GFile(os.path.join(staging, _CLAIM)) as file:
            process, until = map(int, file.read().split())
    except (tf.errors.OpError, ValueError):
        return False
    if is_of_this_machine(staging) and not _runs(process):
        return False
    return time.time() < until


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove_what_the_dead_left(parent: str) -> None:
    """Removes the parts of versions whose processes died when they moved them; what fails is logged."""
    for name, version in in_the_making(parent):
        staging = os.path.join(parent, name)
        try:
            if tf.io.gfile.exists(os.path.join(staging, _CLAIM)) and not _is_alive(staging):
                _remove_half(staging, os.path.join(parent, version))
        except tf.errors.OpError as e:
            log.warning("estimator_slim: %s, left by a process that died, cannot be removed (%s); "
                        "remove it yourself", staging, e)
    remove_abandoned(parent)


def _remove_half(staging: str, directory: str) -> None:
    log.info("estimator_slim: removing what a process that died left of %s", directory)
    if not tf.io.gfile.exists(os.path.join(directory, READ_FIRST)):
        with contextlib.suppress(tf.errors.NotFoundError):
            tf.io.gfile.rmtree(directory)
    tf.io.gfile.rmtree(staging)
