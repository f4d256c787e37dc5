"""Long work says how far it is, how fast it goes and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import numpy as np

from estimator_slim import log


def tracked(what: str, byte_count: int, slices: Iterable[tuple[int, np.ndarray]], *,
            every: float = 5.0) -> Iterator[tuple[int, np.ndarray]]:
    """Passes `slices` on and logs the progress of their consumer every so often.

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
        now = time.monotonic()
        if now - told >= every and done < byte_count:
            told, rate = now, done / (now - started)
            log.info("estimator_slim: %s, %.0f %% of %.0f MB, %.0f MB/s, %.0f s left", what,
                     100 * done / byte_count, byte_count / 1e6, rate / 1e6,
                     (byte_count - done) / rate)
