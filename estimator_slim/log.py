"""What estimator_slim logs, and how far long work is: by absl, or by TensorFlow's logger.

An Estimator's program sees TensorFlow's lines (`tf.compat.v1.logging.set_verbosity`), a program that
absl's `app.run` starts sees absl's; a line goes to TensorFlow's logger where only that one shows it.
absl's own functions would put a handler on the root logger of a program that has none, and every line of
TensorFlow's would then be printed twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from absl import logging as absl_logging

from estimator_slim import progress
from estimator_slim.errors import EstimatorSlimError

if TYPE_CHECKING:
    import numpy as np


@absl_logging.skip_log_prefix
def debug(message: str, *args: Any) -> None:
    """What helps to find a fault."""
    _log(logging.DEBUG, absl_logging.DEBUG, message, args)


@absl_logging.skip_log_prefix
def info(message: str, *args: Any) -> None:
    """What was done."""
    _log(logging.INFO, absl_logging.INFO, message, args)


@absl_logging.skip_log_prefix
def warning(message: str, *args: Any) -> None:
    """What was left out, or needs somebody's eye."""
    _log(logging.WARNING, absl_logging.WARNING, message, args)


@absl_logging.skip_log_prefix
def failure(error: Exception, message: str) -> None:
    """What failed, and why: an error of ours explains itself, another shows where it arose."""
    if isinstance(error, EstimatorSlimError):
        _log(logging.ERROR, absl_logging.ERROR, "%s: %s", (message, error))
    else:
        _log(logging.ERROR, absl_logging.ERROR, "%s", (message,), exc_info=error)


@absl_logging.skip_log_prefix
def _log(level: int, absl_level: int, message: str, args: tuple, **options: Any) -> None:
    import tensorflow as tf  # takes seconds, and whoever logs a line has it already
    ours, theirs = absl_logging.get_absl_logger(), tf.get_logger()
    is_ours = ours.isEnabledFor(level)
    if theirs.isEnabledFor(level) and not (is_ours and ours.hasHandlers()):
        theirs.log(level, message, *args, stacklevel=3, **options)
    elif is_ours:
        absl_logging.log(absl_level, message, *args, **options)


def tracked(what: str, byte_count: int, slices: Iterable[tuple[int, np.ndarray]], *,
            every: float = 5.0) -> Iterator[tuple[int, np.ndarray]]:
    """Passes `slices` on and logs, every so often, how far whoever takes them has come.

        estimator_slim: writing embeddings, 40 % of 1024 MB, 170 MB/s, 4 s left

    Args:
      what: "writing embeddings"; work that ends within `every` says nothing.
      byte_count: bytes of all slices together.
      slices: (first row, rows).
      every: seconds from one line to the next.
    """
    started = told = time.monotonic()
    done = 0
    for start, rows in slices:
        yield start, rows
        done += rows.nbytes
        progress.tell(what, done, byte_count)
        now = time.monotonic()
        if now - told >= every and done < byte_count:
            told, rate = now, done / (now - started)
            info("estimator_slim: %s, %.0f %% of %.0f MB, %.0f MB/s, %.0f s left", what,
                 100 * done / byte_count, byte_count / 1e6, rate / 1e6, (byte_count - done) / rate)
