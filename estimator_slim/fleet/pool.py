"""A pool of processes that are kept: TensorFlow is started once in each, not once for each servable.

The largest servables are begun first, each as soon as a process is free and there is memory for it
beside those in work. A process that dies over a servable costs that servable alone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from absl import flags, logging

from estimator_slim.errors import EstimatorSlimError
from estimator_slim.fleet.job import Job, Result, failed, optimize_job
from estimator_slim.fleet.memory import PROCESSES, needed_memory, room_to_verify
from estimator_slim.options import are_parsed
from estimator_slim.usage import resident_memory

GROWTH = 1 << 29  # bytes by which a process may grow before another takes its place
_READY = "ready"
_OF_MEMORY = ", as where memory runs out: give it more, or do fewer at once (jobs)"


def run(jobs: Sequence[Job], *, processes: int, memory: int) -> Iterator[Result]:
    """The results of all jobs, as they come.

    Args:
      jobs: what is to be done.
      processes: how many may work at once.
      memory: bytes that all may take together; a servable that takes more is optimized alone.

    Raises:
      EstimatorSlimError: no process can be started.
    """
    todo = sorted(jobs, key=lambda job: job.byte_count)
    workers = min(processes, len(todo), max(1, memory // PROCESSES))
    pool: list[_Worker] = []
    try:
        while todo or any(worker.job for worker in pool):
            while job := _next(todo, pool, workers, memory):
                _free(pool).do(_within(job, memory))
            yield from _finished(pool)
    finally:
        for worker in pool:
            worker.end()


def _next(todo: list[Job], pool: list[_Worker], workers: int, memory: int) -> Job | None:
    """Takes the largest job for which there are a process and memory."""
    working = [worker.job for worker in pool if worker.job]
    if len(working) == workers:
        return None
    left = memory - sum(needed_memory(job.byte_count) for job in working)
    for number in reversed(range(len(todo))):
        if not working or needed_memory(todo[number].byte_count) <= left:
            return todo.pop(number)
    return None


def _within(job: Job, memory: int) -> Job:
    """The job, whose verification keeps to the memory that was reckoned for it."""
    if job.options.verify_memory is not None:
        return job
    room = room_to_verify(job.byte_count, memory)
    return replace(job, options=replace(job.options, verify_memory=room))


def _free(pool: list[_Worker]) -> _Worker:
    """A process that does nothing; a new one where there is none."""
    for worker in pool:
        if not worker.job:
            return worker
    pool.append(_Worker())
    return pool[-1]


def _finished(pool: list[_Worker]) -> Iterator[Result]:
    """Waits until a process or more has something to say; the results among it."""
    by_pipe: dict[Any, _Worker] = {worker.pipe: worker for worker in pool if worker.job}
    for pipe in wait(list(by_pipe)):
        worker = by_pipe[pipe]
        result = worker.result()
        if result is not None:
            yield result
        if worker.is_spent:
            worker.end()
            pool.remove(worker)


class _Worker:
    """A process that optimizes one servable after the other."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.job: Job | None = None
        self.is_spent, self._memory = False, 0
        self._process = context.Process(
            target=_work, args=(theirs, logging.get_verbosity(), are_parsed()))
        with _deaf_to_the_terminal():
            self._process.start()
        theirs.close()

    def do(self, job: Job) -> None:
        self.job = job
        self.pipe.send(job)

    def result(self) -> Result | None:
        """What it says; None where it says only that it stands ready."""
        assert self.job
        try:
            result, memory = self.pipe.recv()
        except (EOFError, OSError):
            return self._death()
        if result == _READY:
            self._memory = memory
            return None
        self.is_spent, self.job = memory > self._memory + GROWTH, None
        return result  # type: ignore[no-any-return]

    def end(self) -> None:
        """Ends it, and what works for it."""
        self._process.kill()
        self._process.join()
        self.pipe.close()

    def _death(self) -> Result:
        self._process.join()
        code = self._process.exitcode or 0
        if not self._memory:
            raise EstimatorSlimError(
                f"a process of the pool ended (exit code {code}) before it began; where the program is "
                "a script, keep what it does under `if __name__ == '__main__':`, since each process "
                "imports it")
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        job, self.job, self.is_spent = self.job, None, True
        assert job
        return failed(job, EstimatorSlimError(f"the process that worked on it ended by {name}"
                                              f"{_OF_MEMORY if code == -signal.SIGKILL else ''}"))


def _work(pipe: Connection, verbosity: int, parsed: bool) -> None:
    """Does what comes, until the process at the other end is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.set_verbosity(verbosity)
    if parsed:  # so that advice names flags where the parent's would
        flags.FLAGS.mark_as_parsed()
    with contextlib.suppress(EOFError, BrokenPipeError):  # gone, which nobody is to read a traceback of
        pipe.send((_READY, resident_memory()))
        while True:
            result = optimize_job(pipe.recv())
            pipe.send((result, resident_memory()))


@contextlib.contextmanager
def _deaf_to_the_terminal() -> Iterator[None]:
    """What starts in the block never hears of Ctrl-C, nor while it imports: its parent ends it."""
    resource_tracker.ensure_running()  # which multiprocessing would start, and listen to Ctrl-C again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
