"""The process that slims one original beside the training, and what it says: plain data, both ways.

    the training → a file             the task, pickled
    the child's stdout → the training what it logs, line by line, and at last how it ended, pickled
"""

from __future__ import annotations

import logging
import os
import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from absl import flags
from absl import logging as absl_logging

from estimator_slim.exporter.writing import write_twin
from estimator_slim.options import Options
from estimator_slim.report import Report


@dataclass(frozen=True)
class Task:
    """What is to be slimmed; the arguments of `write_twin`.

    Attributes:
      original: its directory.
      files: where its files are read, whatever becomes of it.
      slim: where its twin goes.
      place: of the record.
      options: all that was chosen, with the questions drawn.
      checkpoint: where the one that the options name is read from.
      tell: who else is told of the record.
      parsed: whether the program parsed its flags.
    """

    original: str
    files: str
    slim: str
    place: Any
    options: Options
    checkpoint: str | None
    tell: Callable[[Report], None] | None
    parsed: bool


@dataclass(frozen=True)
class Line:
    """What was logged: its level, as of `logging`, and its text with the trace behind it, if any."""

    level: int
    text: str


@dataclass(frozen=True)
class Failure:
    """Why there is no slim servable.

    Attributes:
      type: of the error, by its name.
      message: its text.
      trace: as Python prints it.
      report: the record of it, as far as it came.
    """

    type: str
    message: str
    trace: str
    report: Report | None


def main(path: str) -> None:
    """Does the task in the file `path`."""
    with os.fdopen(os.dup(1), "wb") as stream:
        os.dup2(2, 1)  # what a servable prints is none of it
        absl_logging.set_verbosity(absl_logging.INFO)
        logger = logging.getLogger("absl")
        logger.propagate, logger.handlers = False, [_Telling(stream)]
        failed: dict[str, Report] = {}
        try:
            with open(path, "rb") as file:
                task = pickle.load(file)
            if task.parsed:  # so that advice names flags
                flags.FLAGS.mark_as_parsed()
            write_twin(task.original, task.slim, task.place, lambda: task.options, failed, task.tell,
                       task.checkpoint, task.files)
        except Exception as e:
            report = next(iter(failed.values()), None)
            _send(stream, Failure(type(e).__name__, str(e), traceback.format_exc(), report))
        else:
            _send(stream, None)


def _send(stream: IO[bytes], what: Line | Failure | None) -> None:
    pickle.dump(what, stream)
    stream.flush()


class _Telling(logging.Handler):
    """Sends what is logged to the training."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        _send(self._stream, Line(record.levelno, "\n".join(filter(None, [record.getMessage(), trace]))))
