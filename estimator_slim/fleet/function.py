"""optimize_saved_models: what a person calls for many servables at once."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

import tensorflow as tf

from estimator_slim import log
from estimator_slim.choosing import resolve
from estimator_slim.errors import DestinationError, OptionError
from estimator_slim.fleet.job import Job, Result, done_before
from estimator_slim.fleet.memory import available_memory
from estimator_slim.fleet.pool import run
from estimator_slim.fleet.sources import QUESTIONS_AT_ONCE, destination_of, servables, shared_folder
from estimator_slim.fleet.summary import Summary
from estimator_slim.libraries import import_libraries
from estimator_slim.options import FUNCTION, OFF, OPTIONS, Options
from estimator_slim.paths import Path, as_text

_NOT_FOR_MANY = ("on_error", "checkpoint")


def optimize_saved_models(
        sources: Iterable[Path], out: Optional[Path] = None, *,  # noqa: UP045
        relative_to: Optional[Path] = None, jobs: int | None = None,  # noqa: UP045
        memory: int | None = None, summary: Optional[Path] = None,  # noqa: UP045
        tags: Sequence[str] = ("serve",), tell: Callable[[Result], Any] | None = None,
        **options: Any) -> Summary:
    """Writes an optimized servable of each SavedModel in `sources`, several at a time.

    What stands at its destination already, made of the same files with the same options, is passed
    over; a failure is one of the results, and the others go on. So a call that was killed is taken up
    by the same call.

    Processes are started by `spawn`: a script keeps what it does under `if __name__ == "__main__":`.

    Args:
      sources: directories of exported versions, or patterns of such, as `models/*/export/best/*`.
      out: the folder to write to, in which each keeps its path from `relative_to`; None: each goes
        beside its original, as with `optimize_saved_model`.
      relative_to: a folder that all sources are in; None: the deepest that they are in, patterns up to
        their first wildcard.
      jobs: how many are optimized at once; None: as many as there are cores.
      memory: bytes that may be taken by all processes together; None: 80 % of what is available. A
        servable is begun when there is room for it; one that never has room is optimized alone.
      summary: the file for what became of all, as JSON; None: none is written.
      tags: of the MetaGraph to optimize.
      tell: is called with each result as it comes.
      options: those of `optimize_saved_model`, but `on_error` and `checkpoint`.

    Returns:
      What became of each.

    Raises:
      OptionError: an argument is wrong.
      SourceError: a pattern matches no servable, or nobody knows its file system.
      DestinationError: the summary cannot be written.
    """
    chosen, paths = chosen_for_many(options), [as_text(one, "sources") for one in sources]
    processes = _positive("jobs", jobs, _cores())
    most = _positive("memory", memory, available_memory())
    if not chosen.enabled:
        log.info("estimator_slim is off (enabled=False): %d sources are left as they are", len(paths))
        return Summary([], 0.0)
    import_libraries(chosen.imports)  # one of which may know the file system
    started, results = time.monotonic(), []
    all_jobs = _jobs(paths, out, relative_to, chosen, tuple(tags))
    try:
        for result in _results(all_jobs, processes, most):
            results.append(result)
            if tell is not None:
                tell(result)
    finally:
        found = Summary(results, time.monotonic() - started)
        if summary is not None:
            _write(as_text(summary, "summary"), found.to_json())
    return found


def _jobs(sources: list[str], out: Path | None, relative_to: Path | None, options: Options,
          tags: tuple[str, ...]) -> list[Job]:
    sizes = servables(sources, options.patience)
    folder, base = (None if path is None else as_text(path, name)
                    for path, name in ((out, "out"), (relative_to, "relative_to")))
    if base is None:
        base = shared_folder(sources) if folder else ""
    return [Job(source, destination_of(source, folder, base, options), options, tags, size)
            for source, size in sizes.items()]


def _results(jobs: list[Job], processes: int, memory: int) -> Iterator[Result]:
    """Of what was done before at once, without a process; of the others as they come."""
    todo = []
    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as threads:
        for job, before in zip(jobs, threads.map(done_before, jobs)):
            if before is None:
                todo.append(job)
            else:
                yield before
    yield from run(todo, processes=processes, memory=memory)


def chosen_for_many(options: dict[str, Any]) -> Options:
    """The options, such that a record tells what was chosen and other processes can have them.

    Raises:
      OptionError: one is none of these, or wrong.
    """
    for name in options:
        if name not in OPTIONS or name in _NOT_FOR_MANY:
            raise OptionError(f"{name}: expected an option of optimize_saved_model for many servables; "
                              f"{'that is for one alone' if name in OPTIONS else 'there is none such'}")
    chosen = resolve(FUNCTION, options)
    if chosen.report == OFF:
        raise OptionError("report: expected a folder for records, or none given, got 'off': by its "
                          "record a servable is known to be done")
    try:
        pickle.dumps(chosen)
    except Exception as e:
        raise OptionError("verify_input_fn: expected a function that another process can import, from "
                          f"a module and by its name ({e})") from e
    return chosen


def _positive(name: str, value: int | None, otherwise: int) -> int:
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OptionError(f"{name}: expected a whole number, 1 or more, got {value!r}")
    return value


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write(path: str, text: str) -> None:
    try:
        tf.io.gfile.makedirs(os.path.dirname(path) or ".")
        with tf.io.gfile.GFile(path, "w") as file:
            file.write(text)
    except tf.errors.OpError as e:
        raise DestinationError(f"the summary {path} cannot be written ({e.message}); give another "
                               "file") from e
