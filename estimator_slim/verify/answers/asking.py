"""Asks servables one after the other, and tells of each step before it is taken.

In the child (child.py) `main` writes what is told to a file. Where the file ends early, the last step
in it is what the child died of. `ask_here` asks in this process.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pickle
import queue
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.errors import OptionError
from estimator_slim.libraries import import_libraries
from estimator_slim.usage import forget_most_memory, most_memory, resident_memory
from estimator_slim.verify.answers.serving import refusal, served
from estimator_slim.verify.answers.thinning import shares
from estimator_slim.verify.request import Answer, Refusal, Request

CRASH = "Crash"   # the error of a Refusal that ended the process
UNWRITTEN = os.EX_IOERR  # the exit code of a child that cannot write what it tells
PATIENCE = 180.0  # seconds of asking one servable; what is not asked by then is left out
_Told = tuple[int, str, Any]  # number of the job, the step, what came of it


@dataclass(frozen=True)
class Job:
    """One servable and what to ask it.

    Attributes:
      directory: of the SavedModel.
      requests: asked in this order.
      tags: of the MetaGraph.
      grappler: with TensorFlow's graph optimizer, as servers run it.
      start: number of the request to begin with; those before it were asked.
      in_files: bytes from which tables stay in their files, see from_files.py; None: none does.
      besides: signatures that it is asked as if it had them.
    """

    directory: str
    requests: Sequence[Request]
    tags: Sequence[str] = ("serve",)
    grappler: bool = True
    start: int = 0
    in_files: int | None = None
    besides: Mapping[str, meta_graph_pb2.SignatureDef] = field(default_factory=dict)


@dataclass
class Heard:
    """What one servable answered.

    Attributes:
      signatures: signature → what it declares, in words.
      answers: to the first of the requests; to all of them unless that took too long.
      refused: why it could not be loaded.
      step: the last one that was begun: `load`, `ask`, `done`, or nothing.
      in_files: why its tables stayed in their files; `` where it was loaded whole.
    """

    signatures: dict[str, dict[str, str]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    refused: Refusal | None = None
    step: str = ""
    in_files: str = ""


def ask_here(jobs: Sequence[Job]) -> list[Heard]:
    """What each servable answers, asked in this process."""
    heard = [Heard() for _ in jobs]
    collect(_tell(jobs), heard)
    return heard


def collect(told: Iterable[_Told], heard: Sequence[Heard]) -> None:
    """Adds what was told of job number n to `heard[n]`."""
    for number, step, result in told:
        one = heard[number]
        if step == "loaded":
            one.signatures = result
        elif step == "answered":
            one.answers.append(result)
        elif step == "refused":
            one.refused, one.step = result, "done"
        else:
            one.step = step


def read_told(path: str) -> Iterator[_Told]:
    """What the child wrote, up to where it is whole: it may have ended in the midst of writing."""
    with open(path, "rb") as file, contextlib.suppress(EOFError, pickle.UnpicklingError):
        while True:
            yield pickle.load(file)


def _tell(jobs: Sequence[Job]) -> Iterator[_Told]:
    for number, job in enumerate(jobs):
        with _its_garbage_collected():
            yield from ((number, *told) for told in _tell_of(job))


@contextlib.contextmanager
def _its_garbage_collected() -> Iterator[None]:
    """Frees what is made meanwhile: a closed session's graph, with its constants, refers to itself.

    What is there already is left out: to look through all of TensorFlow takes longer than to ask.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()


def _tell_of(job: Job) -> Iterator[tuple[str, Any]]:
    yield "load", None
    with contextlib.ExitStack() as loaded:
        try:
            servable = loaded.enter_context(served(
                job.directory, job.tags, grappler=job.grappler, in_files=job.in_files,
                besides=job.besides))
        except Exception as error:
            yield "refused", refusal(error)
            return
        yield "loaded", servable.signatures()
        started = time.monotonic()
        for request, share in [*zip(job.requests, shares(job.requests))][job.start:]:
            yield "ask", None
            yield "answered", servable.answer(request, share)
            if time.monotonic() - started > PATIENCE:
                break
        del servable
    yield "done", None


def main(tasks: Any, done: int, idle: float) -> None:
    """The child: does one task after the other, see worker.py.

    Args:
      tasks: the queue of lines.
      done: a descriptor; after each task it writes there the bytes that it has grown by, and the most
        that it had meanwhile.
      idle: seconds without a task after which it ends.
    """
    tf.get_logger().setLevel("ERROR")  # what is printed is for the cause of a crash
    new = resident_memory()
    _end_before_others()
    with contextlib.suppress(queue.Empty):
        while True:
            task = json.loads(tasks.get(timeout=idle))
            forget_most_memory()
            _do(*task)
            os.write(done, b"%d %d\n" % (resident_memory() - new, most_memory()))


def _end_before_others() -> None:
    """Asks the system, where memory runs out, to end this process and not the one that it works for."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _do(asked: str, told: str, printed: str) -> None:
    """Reads pickled jobs from one file, writes what it tells to another, and prints to a third."""
    with open(printed, "ab") as file:
        for standard in (1, 2):
            os.dup2(file.fileno(), standard)
    with open(asked, "rb") as file:
        libraries, jobs = pickle.load(file)
    with contextlib.suppress(OptionError):  # then a servable that needs one says what it lacks
        import_libraries(libraries)
    with open(told, "wb") as file:
        for one in _tell(jobs):
            _write(one, file)


def _write(told: _Told, file: Any) -> None:
    """Writes it, or ends the process: closing a file that cannot be written would raise once more."""
    try:
        pickle.dump(told, file, protocol=pickle.HIGHEST_PROTOCOL)
        file.flush()
    except OSError:
        os._exit(UNWRITTEN)
