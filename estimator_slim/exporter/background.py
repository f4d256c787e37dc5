"""Slimming beside the training: a child process at a time, and one task that waits, the newest.

    export 1 → in work
    export 2 → in work 1, waits 2
    export 3 → in work 1, waits 3      2 lacks its twin, which is made up for when nothing else waits
    the last → both are done before the call returns

What is in work holds its original and its checkpoint (their files cannot go while they are read). The
child is no fork of this process, which has TensorFlow's threads; it ends with it, however that ends.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from typing import Any

from estimator_slim import errors, log
from estimator_slim.errors import EstimatorSlimError
from estimator_slim.exporter.child import Failure, Line, Task

_START = """
import sys
sys.path[:] = {path!r}
import os, threading

def end_with_parent():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=end_with_parent, daemon=True).start()
from estimator_slim.exporter.child import main
main({task!r})
"""


class Work:
    """A task, and what goes with it.

    Attributes:
      task: what the child does.
      holding: is closed when the task is done, or will not be done.
      done: is called with what it failed by, or None, in the thread that waits for the child.
    """

    def __init__(self, task: Task, holding: contextlib.ExitStack,
                 done: Callable[[Failure | None], None]) -> None:
        self.task, self.holding, self.done = task, holding, done
        self.content = pickle.dumps(task)


class Background:
    """What one exporter has slimmed beside the training."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Work | None = None
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen | None = None
        self._at_work = ""  # the twin
        self._ended = False
        _all.add(self)

    @property
    def has_room(self) -> bool:
        """Whether nothing waits."""
        return self._waiting is None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in work."""
        return not self._at_work

    def has(self, slim: str) -> bool:
        """Whether the twin `slim` is in work."""
        return slim == self._at_work

    def hand_over(self, work: Work) -> None:
        """Has it done next, in the place of what waits."""
        with self._lock:
            if self._thread is None:
                self._at_work = work.task.slim
                self._thread = threading.Thread(target=self._do_all, args=(work,), daemon=True)
                self._thread.start()
                return
            replaced, self._waiting = self._waiting, work
        if replaced:
            log.info("estimator_slim: %s waits for its slim servable no longer, as %s is newer",
                     replaced.task.original, work.task.original)
            replaced.holding.close()

    def finish(self) -> None:
        """Waits until everything is done. What interrupts it ends what is in work."""
        try:
            while thread := self._thread:
                thread.join()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Ends what is in work, at once."""
        self._ended = True
        if self._at_work:
            log.warning("estimator_slim: %s is not finished; the next export, or estimator-slim sync, "
                        "makes up for it", self._at_work)
        if self._process:
            self._process.kill()

    def _do_all(self, first: Work) -> None:
        """Does the first, and then what waits, until nothing does."""
        work: Work | None = first
        while work:
            try:
                with work.holding:
                    failure = self._do(work)
                if not self._ended:
                    work.done(failure)
            except Exception as e:
                log.failure(e, f"estimator_slim: no slim servable of {work.task.original}")
            with self._lock:
                work, self._waiting = None if self._ended else self._waiting, None
                self._at_work = work.task.slim if work else ""
                if work is None:
                    self._thread = None

    def _do(self, work: Work) -> Failure | None:
        """Runs the child, logs what it logs, and says how it ended."""
        with tempfile.NamedTemporaryFile(prefix="estimator_slim-") as file:
            file.write(work.content)
            file.flush()
            with _started(file.name) as process:
                self._process = process
                try:
                    return _heard(process, work.task)
                finally:
                    process.kill()
                    self._process = None


def is_for_a_child(task: Task) -> bool:
    """Whether another process can read the task: it has no classes of the program's main module."""
    try:
        pickle.dumps(task)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return all(type(one).__module__ != "__main__" for one in task.options.transforms)


def as_error(failure: Failure) -> EstimatorSlimError:
    """What the child raised, as it is to be raised here; another's error with its trace."""
    kind = getattr(errors, failure.type, None)
    if not (isinstance(kind, type) and issubclass(kind, EstimatorSlimError)):
        return EstimatorSlimError(f"{failure.type}: {failure.message}\n\n{failure.trace}")
    if kind is errors.VerificationError:
        return errors.VerificationError(failure.message, failure.report)
    return kind(failure.message)


def _started(task: str) -> subprocess.Popen:
    path = [entry for entry in sys.path if isinstance(entry, str)]
    inherited = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    return subprocess.Popen(
        [sys.executable, "-c", _START.format(path=path, task=task)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, start_new_session=True,
        env={**inherited, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"})


def _heard(process: subprocess.Popen, task: Task) -> Failure | None:
    heard: Any
    assert process.stdout
    with contextlib.suppress(EOFError, pickle.UnpicklingError):
        while isinstance(heard := pickle.load(process.stdout), Line):
            (log.info if heard.level <= logging.INFO else log.warning)("%s", heard.text)
        return heard  # type: ignore[no-any-return]
    code = process.wait()
    why = f"the process that slimmed {task.original} ended by " + (
        f"signal {-code}, as where memory runs out" if code < 0 else f"exit code {code}")
    return Failure("EstimatorSlimError", why, "", None)


_all: weakref.WeakSet[Background] = weakref.WeakSet()


@atexit.register
def _finish_all() -> None:
    """What was exported last gets its slim twin; but where Ctrl-C ends the program, it ends at once."""
    interrupted = getattr(sys, "last_type", None)
    for one in list(_all):
        if isinstance(interrupted, type) and issubclass(interrupted, KeyboardInterrupt):
            one.end()
        else:
            one.finish()
