"""TensorFlow without its start-up noise, and what is logged as plain lines; no error is hidden.

TensorFlow's C++ writes to the process' stderr, past Python. What it says of itself goes by its own
setting; three lines that every import of a build with CUDA writes as errors ("Unable to register cuDNN
factory") are kept from the terminal while it is imported, and everything else of that time is shown.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator

from estimator_slim.cli.wording import as_flags
from estimator_slim.version import require_tensorflow

_OURS = "estimator_slim: "  # as a log shows whose line it is
_NOISE = re.compile(rb"Unable to register cu\w+ factory|^20\d\d-\S+ \S+ [IW] |^To enable the following")


def load_tensorflow() -> None:
    """Imports TensorFlow, which takes seconds, without what it says of itself.

    Raises:
      RequirementError: there is none that estimator_slim works with.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _without_noise():
        require_tensorflow()
    import tensorflow as tf
    tf.get_logger().setLevel(logging.ERROR)  # what it calls deprecated is no matter of the person's


def log_plainly() -> None:
    """Has what is logged printed to stderr as `estimator-slim: ...`."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain())
    logging.getLogger().addHandler(handler)


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not text.startswith(_OURS):
            return text
        return f"estimator-slim: {as_flags(text[len(_OURS):])}"


@contextlib.contextmanager
def _without_noise() -> Iterator[None]:
    """Keeps what is written to the process' stderr, and writes it there in the end, noise left out."""
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            kept.seek(0)
            os.write(2, b"".join(line for line in kept if not _NOISE.search(line)))
