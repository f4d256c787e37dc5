"""What is said where a person or the system ends a program in the midst of an optimization."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from estimator_slim import log


@contextlib.contextmanager
def told_if_interrupted(original: str) -> Iterator[None]:
    """Says in one line which version lacks its slim twin where the block is ended by a signal.

    What Ctrl-C raises, or a handler of the program's own, goes on as it is. SIGTERM ends a process that
    handles it not at all; it does so here too, behind that line.
    """
    with _before_sigterm(lambda: _tell(original, "SIGTERM")):
        try:
            yield
        except Exception:
            raise
        except BaseException as e:
            _tell(original, type(e).__name__)
            raise


def without_frames(do: Callable[[], None]) -> None:
    """Calls `do`; what ends a program, as Ctrl-C does, goes on without the frames in between."""
    try:
        do()
    except Exception:
        raise
    except BaseException as e:
        raise e.with_traceback(None) from None


@contextlib.contextmanager
def _before_sigterm(tell: Any) -> Iterator[None]:
    """Has `tell` called before SIGTERM ends this process in the block, where it would say nothing."""
    is_ours = (threading.current_thread() is threading.main_thread()
               and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)

    def end(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        try:
            tell()
        finally:
            os.kill(os.getpid(), number)

    if is_ours:
        signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if is_ours and signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _tell(original: str, what: str) -> None:
    log.warning("estimator_slim: %s: %s has no slim servable yet; the next export, or estimator-slim "
                "sync, makes up for it", what, original)
