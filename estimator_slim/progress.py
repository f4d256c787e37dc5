"""Who watches long work is told of each step, and of the bytes that are done: nobody, as a rule.

    with watched_by(shown):      # shown("writing embeddings", 410_000_000, 1_024_000_000)
        optimize_saved_model(...)

It holds for what the thread of the block does, and costs what is not watched nothing.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator

# Takes what is done, the bytes done, and the bytes of all; 0 of 0 for a step that begins or is told of.
Watcher = Callable[[str, int, int], None]

_watcher: contextvars.ContextVar[Watcher | None] = contextvars.ContextVar("watcher", default=None)


@contextlib.contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Has what the block does told to `watcher`."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def nobody(what: str, done: int, of: int) -> None:
    """A watcher that shows nothing."""


def tell(what: str, done: int = 0, of: int = 0) -> None:
    """Tells whoever watches: a step, or how many bytes `of` all are done."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(what, done, of)
