"""Asks servables in a child process, so that nothing they do reaches this one.

A kernel that aborts ends the child: what it had answered is kept, that question gets a refusal of its
own kind (`CRASH`), and another child goes on with the next one. A child is a Python that runs
`asking.main`; it ends when this process does, however this one ends.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from estimator_slim import log
from estimator_slim.errors import DestinationError, VerificationError
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
from estimator_slim.verify.request import Refusal

_CHILDREN = 8  # how many may end so
_NAME = "estimator_slim"  # of the folders for what is asked and told
# By sys.flags: what keeps Python from importing more at its start.
_ISOLATING = {"isolated": "-I", "ignore_environment": "-E", "no_user_site": "-s", "no_site": "-S"}
_LINES, _LENGTH = 3, 300  # of what it wrote last, in messages

# What a child runs. Nobody writes to its stdin, so reading there returns when this process has ended.
# sys.path is set before anything is imported: `python -c` looks into the current folder first.
_START = """
import sys
sys.path[:] = {path!r}
import os, threading

def end():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=end, daemon=True).start()
from estimator_slim.verify.answers.asking import main
main(*sys.argv[1:])
"""


def ask(jobs: Sequence[Job], *, seconds: float) -> list[Heard]:
    """What each servable answers; one that no new process can load is asked in this one.

    Args:
      jobs: asked one after the other; each servable is gone from memory before the next is loaded.
      seconds: that one child may take.

    Raises:
      VerificationError: a child takes longer, or one after the other crashes.
      DestinationError: what is asked and told cannot be written.
    """
    heard = [Heard() for _ in jobs]
    for _ in range(_CHILDREN):
        todo = [number for number, one in enumerate(heard) if one.step != "done"]
        if not todo:
            return _asked_here_where_refused(jobs, heard)
        rest = [replace(jobs[n], start=len(heard[n].answers)) for n in todo]
        ended = _run(rest, [heard[n] for n in todo], seconds)
        if not any(one.step for one in heard):
            log.warning("estimator_slim: no process to ask in (%s); asking in this one", ended)
            return ask_here(jobs)
        _blame(heard, ended)
    raise VerificationError(f"{_CHILDREN} processes that asked {jobs[todo[0]].directory} crashed, the "
                            f"last by {ended}; see whether TensorFlow Serving can load it")


def _asked_here_where_refused(jobs: Sequence[Job], heard: list[Heard]) -> list[Heard]:
    """Asks here what no child can load: its file system, or its operations, may be known here alone."""
    for number, one in enumerate(heard):
        if one.refused and one.refused.error != CRASH:
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


def _run(jobs: Sequence[Job], heard: Sequence[Heard], seconds: float) -> str:
    """Lets a child ask; adds what it told to `heard` and returns how it ended."""
    with _folder() as folder:
        asked, told, printed = (os.path.join(folder, name) for name in ("asked", "told", "printed"))
        with open(asked, "wb") as file:
            pickle.dump(list(jobs), file, protocol=pickle.HIGHEST_PROTOCOL)
        open(told, "wb").close()
        code = run_python([asked, told], printed, seconds)
        if code == UNWRITTEN:
            raise OSError("a process that asks cannot write answers")
        collect(read_told(told), heard)
        if code is None:
            raise VerificationError(_hanging(jobs, heard, seconds))
        return how_it_ended(code, printed)


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


def run_python(arguments: list[str], log: str, seconds: float) -> int | None:
    """Lets a child run `asking.main`.

    Args:
      arguments: of the function.
      log: a file for what it prints.
      seconds: that it may take.

    Returns:
      Its exit code, or None where it had to be ended; 127 where none can be started.
    """
    path = [entry for entry in sys.path if isinstance(entry, str)]  # Python ignores others
    code = _START.format(path=path)
    with open(log, "wb") as file:
        try:
            child = _started([sys.executable, *_flags(), "-c", code, *arguments], file)
        except OSError as error:
            file.write(str(error).encode())
            return 127
    with child:
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            child.kill()


def _started(command: list[str], file: Any) -> subprocess.Popen:
    if not command[0]:  # where Python is a part of another program
        raise FileNotFoundError("sys.executable names no Python")
    return subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=file, stderr=file,
                            start_new_session=True)


def _flags() -> list[str]:
    """Of Python: those that keep it from importing more at its start than this process did."""
    return [flag for name, flag in _ISOLATING.items() if getattr(sys.flags, name)]


def environment() -> dict[str, str]:
    """Of a child: no GPU, which belongs to the training, no part in a cluster, and causes for a log."""
    inherited = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    return {**inherited, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONFAULTHANDLER": ""}


def how_it_ended(code: int, log: str) -> str:
    """`SIGABRT: the last lines that it wrote`."""
    with open(log, "rb") as file:
        text = file.read().decode(errors="replace")
    lines = [" ".join(line.split())[:_LENGTH] for line in text.splitlines() if line.strip()]
    told = " ".join(lines[-_LINES:])
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"{name}: {told}" if told else name
