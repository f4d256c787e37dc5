"""What the command shows of long work: a line for each step, and how far a long one is.

On a terminal that is a bar with rate and time left, drawn by tqdm where that is installed; elsewhere, as
in a log file, a line every few seconds.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from estimator_slim.progress import watched_by

_PHASES = {"read": "reading", "questions": "making up questions", "freeze": "freezing the variables",
           "transform": "transforming", "write": "writing", "verify": "verifying: asking both servables",
           "measure": "measuring which weights make the difference",
           "warm up": "writing warm-up records"}
_EVERY = 5.0  # seconds from one line to the next
_DELAY = 0.5  # seconds, before a bar is drawn
_WIDEST = 40  # letters of what is done, before a bar


@contextlib.contextmanager
def shown(lines: TextIO) -> Iterator[None]:
    """Shows what the block does: steps in `lines`, how far one is on stderr."""
    watcher = _Shown(lines)
    try:
        with watched_by(watcher):
            yield
    finally:
        watcher.close()


class _Shown:
    def __init__(self, lines: TextIO) -> None:
        self._lines, self._started = lines, time.monotonic()
        self._long: _Bar | _Lines | None = None

    def __call__(self, what: str, done: int, of: int) -> None:
        if not of:
            self.close()
            elapsed = time.monotonic() - self._started
            print(f"[{elapsed:6.1f} s] {_PHASES.get(what, what)}", file=self._lines, flush=True)
            return
        if self._long is None or self._long.what != what:
            self.close()
            self._long = (_Bar if _can_draw() else _Lines)(what, of)
        self._long.show(done)

    def close(self) -> None:
        if self._long is not None:
            self._long.close()
            self._long = None


class _Bar:
    def __init__(self, what: str, of: int) -> None:
        from tqdm import tqdm
        self.what, name = what, what if len(what) <= _WIDEST else f"...{what[3 - _WIDEST:]}"
        self._bar: Any = tqdm(total=of, desc=name, unit="B", unit_scale=True, leave=False,
                              file=sys.stderr, dynamic_ncols=True, delay=_DELAY)

    def show(self, done: int) -> None:
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self, what: str, of: int) -> None:
        self.what, self._of = what, of
        self._started = self._told = time.monotonic()

    def show(self, done: int) -> None:
        now = time.monotonic()
        if now - self._told < _EVERY or done >= self._of:
            return
        self._told, rate = now, done / (now - self._started)
        print(f"{self.what}: {100 * done / self._of:.0f} % of {self._of / 1e6:,.0f} MB, "
              f"{rate / 1e6:,.0f} MB/s, {(self._of - done) / rate:.0f} s left",
              file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is to be taken away."""


def _can_draw() -> bool:
    if not sys.stderr.isatty():
        return False
    try:
        import tqdm  # noqa: F401
    except ImportError:
        return False
    return True
