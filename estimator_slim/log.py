"""What estimator_slim logs: by absl, or by TensorFlow's logger where only that one shows it.

An Estimator's program sees TensorFlow's lines (`tf.compat.v1.logging.set_verbosity`), a program that
absl's `app.run` starts sees absl's. absl's own functions would put a handler on the root logger of a
program that has none, and every line of TensorFlow's would then be printed twice.
"""

from __future__ import annotations

import logging
from typing import Any

import tensorflow as tf
from absl import logging as absl_logging


@absl_logging.skip_log_prefix
def debug(message: str, *args: Any) -> None:
    """For whoever looks for a fault."""
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
def exception(message: str, *args: Any) -> None:
    """What failed, with the error that is being handled."""
    _log(logging.ERROR, absl_logging.ERROR, message, args, exc_info=True)


@absl_logging.skip_log_prefix
def _log(level: int, absl_level: int, message: str, args: tuple, **options: Any) -> None:
    ours, theirs = absl_logging.get_absl_logger(), tf.get_logger()
    is_ours = ours.isEnabledFor(level)
    if theirs.isEnabledFor(level) and not (is_ours and ours.hasHandlers()):
        theirs.log(level, message, *args, stacklevel=3, **options)
    elif is_ours:
        absl_logging.log(absl_level, message, *args, **options)
