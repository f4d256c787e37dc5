"""The record of every optimization, from its start to how it ended."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import DestinationError, VerificationError
from estimator_slim.layout import require_outside
from estimator_slim.options import OPTIONS, Options
from estimator_slim.record_files import keep, record_path
from estimator_slim.report import FAILED, REFUSED, Chosen, Problem, Report
from estimator_slim.usage import Usage, measured
from estimator_slim.version import VERSION

_PASSING = (OSError, MemoryError, tf.errors.ResourceExhaustedError, tf.errors.UnavailableError,
            tf.errors.AbortedError, tf.errors.DeadlineExceededError, tf.errors.CancelledError)


@contextlib.contextmanager
def recorded(source: str, destination: str, place: str | os.PathLike | None, *,
             failures: bool = True,
             tell: Callable[[Report], None] | None = None) -> Iterator[Report]:
    """A report to be filled in by the block; it is kept with what the block took and how it ended.

    Args:
      source: the original.
      destination: of the slim servable.
      place: where records are kept, see `record_path`.
      failures: whether it is kept where the block raises, too.
      tell: who else is told of it, however it ended; not of a failure where the slim servable is there.

    Raises:
      DestinationError: before the block, where one of the two would be written into the original.
    """
    require_outside(source, destination, "a destination")
    record = record_path(destination, place)
    if record is not None:
        require_outside(source, record, "a folder for records")
    report = Report(source, destination, versions=versions(),
                    started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    try:
        with measured() as usage:
            yield report
    except Exception as e:
        report.outcome = REFUSED if isinstance(e, VerificationError) else FAILED
        report.error = Problem(type(e).__name__, str(e), is_passing(e))
        _note(report, usage)
        if failures:
            keep(report, place)
        if tell and not tf.io.gfile.exists(destination):  # else of what stands there was told
            tell(report)
        raise
    _note(report, usage)
    log.info("estimator_slim: %s: %s", destination, report)
    keep(report, place)
    if tell:
        tell(report)


def _note(report: Report, usage: Usage) -> None:
    report.seconds, report.peak_memory = usage.seconds, usage.peak_memory
    report.child_peak_memory = usage.child_peak_memory


def is_passing(error: BaseException) -> bool:
    """Whether the same may succeed another time: what it comes from is the system's, as a full disk.

    All that keeps a destination from being written is, but for what is wrong with its name or place.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _PASSING) or isinstance(cause, DestinationError) and cause.__cause__:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def versions() -> dict[str, str]:
    """Of everything that has a part in what is written."""
    return {"estimator_slim": VERSION, "python": platform.python_version(),
            "tensorflow": tf.__version__, "tensorflow-estimator": _installed("tensorflow-estimator"),
            "numpy": np.__version__}


def choices(options: Options) -> list[Chosen]:
    """The options as plain data."""
    return [Chosen(name, _plain(getattr(options, name)), options.chosen_by[name]) for name in OPTIONS]


@functools.lru_cache
def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(str, value))
    while isinstance(value, functools.partial):
        value = value.func
    if callable(value):
        name = getattr(value, "__qualname__", type(value).__name__)
        return f"{value.__module__}.{name}"
    return value
