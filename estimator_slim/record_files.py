"""Where records are kept: the one decision, how they are written, and that they go with their versions.

A record lies outside of every folder in which a server looks for versions. It is written whole, by one
rename, and nothing that keeps it from being written keeps a servable from being published.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import RecordError
from estimator_slim.options import OFF
from estimator_slim.paths import as_text, unfinished
from estimator_slim.report import (
    PUBLISHED,
    Report,
    from_json,
    page_of,
    pages_can_be_made,
    to_json,
)

_ANNOUNCED = ".begun"


def record_path(destination: str, place: str | os.PathLike | None) -> str | None:
    """Where the record of the slim servable at `destination` is kept.

        >>> record_path("/models/export/best-slim/1700000000", None)
        '/models/export/best-slim-report/1700000000.json'
        >>> record_path("/models/slim", None)
        '/models/slim-report.json'

    Args:
      destination: a version in a folder of versions, named by a number, or any other folder.
      place: None: as above; a folder: as above in it, in the place of `export`; `off`: nowhere.
    """
    if place == OFF:
        return None
    path = destination if "://" in destination else os.path.abspath(destination)
    home, name = os.path.split(path)
    root, folder = os.path.split(home)
    if name.isdigit() and folder and not root.endswith(("/", ":")):
        return os.path.join(root if place is None else as_text(place, "report"), f"{folder}-report",
                            f"{name}.json")
    return os.path.join(home if place is None else as_text(place, "report"), f"{name}-report.json")


def keep(report: Report, place: str | os.PathLike | None) -> None:
    """Writes the record of an optimization, and its page; where that is impossible, it is only logged.

    A failure is not written over the record of what stands at its destination.
    """
    path = record_path(report.destination, place)
    if path is None:
        return
    done = report.outcome == PUBLISHED
    try:
        if done or not (tf.io.gfile.exists(path) and tf.io.gfile.exists(report.destination)):
            _write(path, to_json(report))
            _show(report, path)
    except (OSError, TypeError, ValueError, tf.errors.OpError) as e:
        (log.warning if done else log.debug)(
            "estimator_slim: the record %s cannot be written (%s); give another folder for it "
            "(report='...'), or report='off'", path, e)


@contextlib.contextmanager
def announced(plan: Report, place: str | os.PathLike | None) -> Iterator[None]:
    """Has it written, while the block runs, what a slim servable is to be made of.

    It lies beside the record to come, if there is to be one. Where the process is killed, it stays.
    """
    if place == OFF:
        yield
        return
    path = f"{record_path(plan.destination, place)}{_ANNOUNCED}"
    with contextlib.suppress(OSError, tf.errors.OpError):
        _write(path, to_json(plan))
    try:
        yield
    finally:
        with contextlib.suppress(OSError, tf.errors.OpError):
            tf.io.gfile.remove(path)


def read_record(destination: str, place: str | os.PathLike | None) -> Report | None:
    """The record of the slim servable at `destination`; None where there is none that can be read."""
    return _read(str(record_path(destination, place)), destination)


def read_announced(destination: str, place: str | os.PathLike | None) -> Report | None:
    """What a process that was killed had written by `announced`; None where there is nothing."""
    return _read(f"{record_path(destination, place)}{_ANNOUNCED}", destination)


def forget(slims: str, kept: set[str], place: str | os.PathLike | None, *, of: str) -> None:
    """Removes the records of those versions in the folder `slims` that are not among `kept`.

    `of`: the folder of the originals; records of others stay.
    """
    place = None if place == OFF else place
    path = record_path(os.path.join(slims, "0"), place)
    folder = os.path.dirname(str(path))
    if not tf.io.gfile.isdir(folder):
        return
    names = sorted(tf.io.gfile.listdir(folder))
    versions = {name.partition(".")[0] for name in names if name.endswith((".json", _ANNOUNCED))}
    for version in sorted(one for one in versions - kept if one.isdigit()):
        slim = os.path.join(slims, version)
        report = read_record(slim, place) or read_announced(slim, place)
        if report and is_same(report.source, os.path.join(of, version)):
            log.info("estimator_slim: removing the record of %s, whose original is gone", version)
            for name in names:
                if name.startswith(f"{version}."):
                    _remove(os.path.join(folder, name))


def is_same(one: str, other: str) -> bool:
    """Whether two paths lead to one place."""
    return "://" in one + other and one == other or os.path.realpath(one) == os.path.realpath(other)


def _show(report: Report, path: str) -> None:
    """Writes the page of a record beside it, where what makes pages is installed."""
    if not pages_can_be_made():
        log.debug("estimator_slim: no page beside %s: pip install 'estimator-slim[report]'", path)
        return
    try:
        _write(f"{os.path.splitext(path)[0]}.html", page_of(report))
    except Exception as e:  # whatever a template stumbles over: the record is what counts
        log.debug("estimator_slim: no page beside %s (%s: %s)", path, type(e).__name__, e)


def _write(path: str, text: str) -> None:
    tf.io.gfile.makedirs(os.path.dirname(path))
    part = path if "://" in path else unfinished(path)  # in a store a file appears as a whole
    try:
        with tf.io.gfile.GFile(part, "w") as file:
            file.write(text)
        if part != path:
            tf.io.gfile.rename(part, path, overwrite=True)
    except tf.errors.OpError:  # as where the disk is full
        _remove(part)
        raise


def _remove(path: str) -> None:
    """Removes a file, unless another process has done so."""
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.remove(path)


def _read(path: str, destination: str) -> Report | None:
    """The record in the file at `path`, if it is that of the slim servable at `destination`."""
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            report = from_json(file.read())
    except (RecordError, tf.errors.OpError):
        return None
    return report if is_same(report.destination, destination) else None
