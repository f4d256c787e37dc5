"""optimize_saved_models: several at a time, within the memory there is, whatever becomes of one."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from estimator_slim import OptionError, optimize_saved_models
from estimator_slim.choosing import resolve
from estimator_slim.fleet import Job, Result, memory, pool
from estimator_slim.options import FUNCTION
from tests.support import many

GB = 10**9


def test_all_but_the_broken_one_are_done_and_a_second_call_does_that_one_alone(tmp_path: Path) -> None:
    models = many.make(tmp_path, 4)
    many.break_one(models[1])
    told: list[Result] = []

    def run(jobs: int) -> Any:
        return optimize_saved_models([tmp_path / many.PATTERN], out=tmp_path / "slim", jobs=jobs,
                                     summary=tmp_path / "summary.json", tell=told.append)
    found = run(2)
    assert found.counts == {"failed": 1, "published": 3}
    assert told == list(found.results)
    assert not found.all_done
    assert str(found).startswith("3 of 4 servables done: 1 failed, 3 published; ")
    for number in (0, 2, 3):
        assert (tmp_path / f"slim/m{number:02}/export/best/{many.VERSION}/saved_model.pb").exists()
    document = json.loads((tmp_path / "summary.json").read_text())
    [failed] = [one for one in document["servables"] if one["outcome"] == "failed"]
    assert failed["source"] == str(models[1])
    assert failed["error"]["type"] == "SourceError"
    assert run(1).counts == {"failed": 1, "unchanged": 3}


def killing() -> None:
    """An input_fn of whose call its process dies, as one does that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_costs_one_servable_and_another_goes_on(tmp_path: Path) -> None:
    first, second = many.make(tmp_path, 2)
    many.break_one(second)
    (first / "assets.extra").mkdir()
    (first / "assets.extra/notes").write_bytes(bytes(1 << 16))  # so it is the larger, and comes first
    found = optimize_saved_models([first, second], verify_input_fn=killing, verify="enforce", jobs=1)
    killed, broken = found.results
    assert killed.report.error is not None
    assert killed.report.error.message == (
        "the process that worked on it ended by SIGKILL, as where memory runs out: give it more, or do "
        "fewer at once (jobs)")
    assert (killed.report.source, broken.report.source) == (str(first), str(second))
    assert found.counts == {"failed": 2}


def test_a_process_whose_parent_is_gone_ends_without_a_word(capfd: Any) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=pool._work, args=(theirs, 0, False))
    process.start()
    theirs.close()
    assert ours.recv()[0] == pool._READY
    ours.close()
    process.join()
    assert (process.exitcode, capfd.readouterr().err) == (0, "")


@pytest.mark.long
def test_ctrl_c_of_the_terminal_is_for_the_parent_alone_from_the_first_moment() -> None:
    worker = pool._Worker()
    try:
        os.kill(worker._process.pid, signal.SIGINT)  # type: ignore[arg-type]
        assert worker.pipe.recv()[0] == pool._READY
    finally:
        worker.end()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def jobs(*gigabytes: float) -> list[Job]:
    return [Job(f"{size}", "", resolve(FUNCTION), byte_count=int(size * GB)) for size in gigabytes]


@pytest.mark.parametrize("working, waiting, there, begun", [
    ([], [1, 2, 3], 100, "3"),                      # the largest first
    ([3], [1, 2, 3], 100, "3"),
    ([3], [1, 2, 3], 7.5, "2"),                     # what there is memory for: 4.2 for 3, 3.2 for 2
    ([3], [2, 3], 6, None),                         # else it waits
    ([], [50], 10, "50"),                           # what never has room is done alone
    ([1, 1], [1], 100, None)])                      # no process is free
def test_what_is_begun_next(working: list, waiting: list, there: float, begun: str | None) -> None:
    busy: Any = [SimpleNamespace(job=job) for job in jobs(*working)]
    job = pool._next(jobs(*waiting), busy, 2, int(there * GB))
    assert (job.source if job else None) == begun


def test_a_verification_keeps_to_the_memory_that_was_reckoned_for_it() -> None:
    [job] = jobs(3)
    assert pool._within(job, 100 * GB).options.verify_memory == 3.2 * GB
    assert pool._within(job, 2 * GB).options.verify_memory == 1 * GB
    chosen = dataclasses.replace(job, options=resolve(FUNCTION, {"verify_memory": "2GB"}))
    assert pool._within(chosen, 100 * GB) == chosen


def test_what_is_available_is_less_than_there_is() -> None:
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory.available_memory() < there


@pytest.mark.parametrize("arguments, wrong", [
    ({"jobs": 0}, "jobs: expected a whole number, 1 or more, got 0"),
    ({"memory": 1.5}, "memory: expected a whole number, 1 or more, got 1.5"),
    ({"bit": 4}, "bit: expected an option of optimize_saved_model for many servables; there is none"),
    ({"checkpoint": "model_dir"}, "checkpoint: .*; that is for one alone"),
    ({"report": "off"}, "report: .* got 'off': by its record a servable is known to be done"),
    ({"verify_input_fn": lambda: None}, "verify_input_fn: expected a function that another process can"),
    ({"bits": 5}, "bits: expected 4, 8 or 16, got 5"),
    ({"out": "slim", "relative_to": "/other"}, "relative_to: expected a folder that .* is in")],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "wrong")
def test_what_is_wrong_is_an_error_before_anything_is_done(
        tmp_path: Path, arguments: dict, wrong: str) -> None:
    with pytest.raises(OptionError, match=wrong):
        optimize_saved_models(many.make(tmp_path, 1), **arguments)


def test_switched_off_it_does_nothing(tmp_path: Path) -> None:
    found = optimize_saved_models(many.make(tmp_path, 1), enabled=False)
    assert (found.results, found.all_done) == ([], True)
    assert [path.name for path in (tmp_path / "models/m00/export").iterdir()] == ["best"]


