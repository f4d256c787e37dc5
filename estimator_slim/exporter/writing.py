"""Writes one slim twin, or leaves the one that is there where it is of the same original.

An exporter that writes into one fixed folder, again and again, leaves another original at the same path.
Its twin gives way to that of the new one, by one rename after the other; where the new one cannot be
slimmed, the old twin goes, for it answers as an original that is no longer there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import DestinationError
from estimator_slim.optimize import optimize, tell_of_auto
from estimator_slim.options import Options
from estimator_slim.record_files import announced, read_announced, read_record
from estimator_slim.recording import recorded
from estimator_slim.report import PUBLISHED, Report
from estimator_slim.saved_model import (
    fingerprint_of,
    is_copy,
    is_marked,
    publish_copy,
    remove_abandoned,
    withdraw,
)


def write_twin(original: str, slim: str, place: Any, options: Callable[[], Options],
               failed: dict[str, Report], tell: Callable[[Report], None] | None = None,
               checkpoint: str | None = None, files: str | None = None) -> None:
    """Writes the slim twin of `original` to `slim`.

    Args:
      original: its directory.
      slim: the twin's; a slim servable of another original that is there is replaced, one that
        another process has written meanwhile stays.
      place: of its record.
      options: gives the options; what it raises is recorded as what keeps the twin from being written.
      failed: has the records of twins that could not be written, by their directories.
      tell: who else is told of the record.
      checkpoint: where the one that the options name is read from; None: under its own name.
      files: where those of the original are read from; None: in its directory.

    Raises:
      EstimatorSlimError: it cannot be written.
    """
    there = tf.io.gfile.isdir(slim) and (is_marked(slim) or is_copy(slim))
    if there and _is_of(files or original, slim, place):
        log.info("estimator_slim: %s is there already, and of the same original", slim)
        return
    if "://" not in original:
        remove_abandoned(os.path.dirname(original))  # links of a process that held one, and was killed
    try:
        with announced(Report(original, slim, interrupted=_interrupted(slim, place)), place), \
                recorded(original, slim, place, tell=tell) as report, \
                _gone_if_failing(slim if there else None):
            work = optimize(report, options(), replacing=there, checkpoint=checkpoint, files=files)
    except Exception as e:
        if not there and isinstance(e, DestinationError) and (is_marked(slim) or is_copy(slim)):
            log.info("estimator_slim: another process has written %s meanwhile", slim)
            return
        failed[slim] = report
        raise
    failed.pop(slim, None)
    tell_of_auto(work)


def stand_in(original: str, slim: str) -> None:
    """Publishes a copy of an original as its slim twin, where that could not be written."""
    if not tf.io.gfile.exists(slim):
        publish_copy(original, slim, "it could not be slimmed; the log and the record say why")


@contextlib.contextmanager
def _gone_if_failing(stale: str | None) -> Iterator[None]:
    try:
        yield
    except Exception:
        if stale:
            log.warning("estimator_slim: removing %s, the twin of an original that is gone", stale)
            withdraw(stale)
        raise


def _is_of(original: str, slim: str, place: Any) -> bool:
    record = read_record(slim, place)
    return (record is not None and record.outcome == PUBLISHED and bool(record.fingerprint)
            and record.fingerprint == fingerprint_of(original))


def _interrupted(slim: str, place: Any) -> int:
    """How many processes in a row ended over it."""
    begun = read_announced(slim, place)
    return begun.interrupted + 1 if begun else 0
