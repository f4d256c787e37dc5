"""A scene, `<folder>/model` and `<folder>/export`, and one more export in it, in whatever process."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from absl import logging as absl_logging

from estimator_slim import OptimizingExporter
from tests.faults import moments
from tests.support import training

KEPT = 2  # versions by the exporter's garbage collection
ORIGINALS, SLIMS = "export/latest", "export/latest-slim"


@dataclass(frozen=True)
class Export:
    """What happened at an export.

    Attributes:
      version: its name.
      logged: what estimator_slim logged, each with its level and, at the end, the error that it names.
    """

    version: str
    logged: list[str]


def make_scene(folder: Path) -> None:
    """Trains a model and exports it, until the next export has an old version to collect."""
    training.estimator(str(folder / "model")).train(training.input_fn, steps=1)
    for _ in range(KEPT):
        export(folder)


class Prepared(tf.estimator.Exporter):
    """Exports at once: copies a servable under the next version of those it is given."""

    name = "latest"

    def __init__(self, servable: Any, versions: Iterable[str], keep: int = 100) -> None:
        self.servable, self.versions, self.keep = servable, iter(versions), keep
        self.written: list[str] = []

    def export(self, estimator: Any, export_path: str, checkpoint_path: str, eval_result: Any,
               is_the_final_export: bool) -> str:
        target = os.path.join(export_path, next(self.versions))
        shutil.copytree(self.servable, target)
        self.written.append(target)
        for old in self.written[:-self.keep]:
            shutil.rmtree(old, ignore_errors=True)
        return target


class Then(tf.estimator.Exporter):
    """Exports as another does, then calls a function with the version's directory."""

    def __init__(self, exporter: Any, then: Callable[[Path], Any]) -> None:
        self.exporter, self.then = exporter, then

    @property
    def name(self) -> str:
        return self.exporter.name

    def export(self, *arguments: Any, **by_name: Any) -> Any:
        result = self.exporter.export(*arguments, **by_name)
        self.then(Path(os.fsdecode(result)))
        return result


def slimming(wrapped: Any = None, **options: Any) -> OptimizingExporter:
    """Wraps an exporter, by default a LatestExporter; lossless, with weights in `variables/`."""
    latest = tf.estimator.LatestExporter("latest", training.receiver_fn, exports_to_keep=KEPT)
    return OptimizingExporter(wrapped or latest, **{"transforms": training.LOSSLESS, "verify": "off",
                                                    "weights": "variables", **options})


def export(folder: Path, wrapped: Any = None, **options: Any) -> Export:
    """Exports the last checkpoint of a scene."""
    estimator = training.estimator(str(folder / "model"))
    with logged() as lines:
        version = slimming(wrapped, **options).export(
            estimator=estimator, export_path=str(folder / ORIGINALS),
            checkpoint_path=estimator.latest_checkpoint(), eval_result={}, is_the_final_export=False)
    return Export(os.path.basename(os.fsdecode(version)), lines)


def export_counting(folder: Path, at: int | None = None, **options: Any) -> list[str]:
    """Exports as `export` does, and returns the moments of it; or kills this process at one of them."""
    with moments.counted(at, moments.kill) as reached:
        export(folder, **options)
    return reached


def export_timed(folder: Path, limit: float | None = None, **options: Any) -> float:
    """Exports as `export` does, and returns the seconds it took; or this process dies after `limit`."""
    if limit is not None:
        signal.setitimer(signal.ITIMER_REAL, limit)  # whose signal nobody handles
    started = time.monotonic()
    export(folder, **options)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return time.monotonic() - started


@contextmanager
def logged() -> Iterator[list[str]]:
    """Gives the list of what estimator_slim logs in the block, in the making."""
    lines: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            cause = f" [{type(error).__name__}: {error}]" if error else ""
            lines.append(f"{record.levelname}: {record.getMessage()}{cause}")

    logger, handler = logging.getLogger("absl"), Collecting()
    verbosity = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.INFO)
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        absl_logging.set_verbosity(verbosity)


def numbered(folder: Path) -> list[Path]:
    """The versions that a server would try to load, oldest first; their names have ten digits."""
    return [folder / name for name in training.versions(folder) if name.isdigit()]


def unfinished(folder: Path) -> list[str]:
    """The names in a folder that are no versions."""
    return [name for name in training.versions(folder) if not name.isdigit()]
