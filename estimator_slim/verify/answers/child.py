"""Asks servables in another process (worker.py), so that nothing they do reaches this one.

A kernel that aborts ends that process: what it had answered is kept, that question gets a refusal of its
own kind (`CRASH`), and another process goes on with the next one.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace

from estimator_slim import log
from estimator_slim.errors import DestinationError, VerificationError
from estimator_slim.libraries import imported_libraries
from estimator_slim.saved_model import remove_abandoned, temporary_folder
from estimator_slim.verify.answers.asking import (
    CRASH,
    UNWRITTEN,
    Heard,
    Job,
    ask_here,
    collect,
    read_told,
)
from estimator_slim.verify.answers.worker import Ended, work
from estimator_slim.verify.request import Refusal

_CHILDREN = 8  # how many may end so
_NAME = "estimator_slim"  # of the folders for what is asked and told
_NO_MEMORY = "ResourceExhaustedError"  # which this process, of the training, has no more of
_LINES, _LENGTH = 3, 300  # of what it printed last, in messages


def ask(jobs: Sequence[Job], *, seconds: float) -> list[Heard]:
    """What each servable answers; one that no new process can load is asked in this one.

    Args:
      jobs: asked one after the other; each servable is gone from memory before the next is loaded.
      seconds: that it may take, and once more after each crash.

    Raises:
      VerificationError: it takes longer, or one process after the other crashes.
      DestinationError: what is asked and told cannot be written.
    """
    heard = [Heard() for _ in jobs]
    for _ in range(_CHILDREN):
        todo = [number for number, one in enumerate(heard) if one.step != "done"]
        if not todo:
            return _asked_here_where_refused(jobs, heard)
        rest = [replace(jobs[n], start=len(heard[n].answers)) for n in todo]
        ended, new = _run(rest, [heard[n] for n in todo], seconds)
        if new and not any(one.step for one in heard):
            log.warning("estimator_slim: no process to ask in (%s); asking in this one", ended)
            return ask_here(jobs)
        _blame(heard, ended)
    raise VerificationError(f"{_CHILDREN} processes that asked {jobs[todo[0]].directory} crashed, the "
                            f"last by {ended}; see whether TensorFlow Serving can load it")


def _asked_here_where_refused(jobs: Sequence[Job], heard: list[Heard]) -> list[Heard]:
    """Asks here what no child can load: its file system, or its operations, may be known here alone."""
    for number, one in enumerate(heard):
        if one.refused and one.refused.error not in (CRASH, _NO_MEMORY):
            log.warning("estimator_slim: %s does not load in a new process (%s); asking in this one",
                        jobs[number].directory, one.refused.message)
            heard[number], = ask_here([jobs[number]])
    return heard


def _blame(heard: Sequence[Heard], ended: str) -> None:
    """Makes a refusal of what a servable was at when its process ended."""
    for one in heard:
        if one.step == "load":
            one.refused, one.step = Refusal(CRASH, ended), "done"
        elif one.step == "ask":
            one.answers.append(Refusal(CRASH, ended))
            one.step = "crashed"


def _run(jobs: Sequence[Job], heard: Sequence[Heard], seconds: float) -> tuple[str, bool]:
    """Lets the worker ask, adds what it told to `heard`; how it ended, and whether it was a new one."""
    with _folder() as folder:
        asked, told, printed = (os.path.join(folder, name) for name in ("asked", "told", "printed"))
        with open(asked, "wb") as file:
            pickle.dump((imported_libraries(), list(jobs)), file, protocol=pickle.HIGHEST_PROTOCOL)
        for path in (told, printed):
            open(path, "wb").close()
        ended = work(asked, told, printed, seconds)
        if ended.code == UNWRITTEN:
            raise OSError("a process that asks cannot write answers")
        collect(read_told(told), heard)
        if ended.late:
            raise VerificationError(_hanging(jobs, heard, seconds))
        return _in_words(ended, printed), not ended.reused


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    """A folder for what is asked and told; those that dead processes left are removed first."""
    parent = "the temporary folder"
    try:
        parent = tempfile.gettempdir()
        remove_abandoned(parent, _NAME)
        with temporary_folder(os.path.join(parent, _NAME), private=True) as folder:
            yield folder
    except OSError as e:
        raise DestinationError(f"{parent} cannot be written ({e}); verification keeps questions and "
                               "answers in it. Free space there, set TMPDIR to another folder, or do "
                               "without verification (verify='off')") from e


def _hanging(jobs: Sequence[Job], heard: Sequence[Heard], seconds: float) -> str:
    job, one = next((j, h) for j, h in zip(jobs, heard) if h.step != "done")
    at = f"request {len(one.answers) + 1} of {len(job.requests)}" if one.step == "ask" else "loading"
    return f"{job.directory}: at {at} after {seconds:.0f} s of asking; see why it hangs"


def _in_words(ended: Ended, printed: str) -> str:
    """`SIGABRT: the last lines that it printed`."""
    if ended.code is None:
        return "done"
    with open(printed, "rb") as file:
        text = file.read().decode(errors="replace") + ended.why
    lines = [" ".join(line.split())[:_LENGTH] for line in text.splitlines() if line.strip()]
    last = " ".join(lines[-_LINES:])
    name = signal.Signals(-ended.code).name if ended.code < 0 else f"exit code {ended.code}"
    return f"{name}: {last}" if last else name
