"""What is done is passed over; what is something else is never overwritten; failures are results."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from estimator_slim import fleet, load_report, optimize_saved_model
from estimator_slim.choosing import resolve
from estimator_slim.fleet import Job, optimize_job
from estimator_slim.options import FUNCTION
from tests.support import many
from tests.support.training import contents


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Of a small servable, to go beside it."""
    [model] = many.make(tmp_path, 1)
    return Job(str(model), f"{model.parent}-slim/{model.name}", resolve(FUNCTION))


def slim(job: Job) -> Path:
    return Path(job.destination)


def record(job: Job) -> Path:
    return slim(job).parents[1] / "best-slim-report" / f"{slim(job).name}.json"


def test_what_is_done_is_not_done_again(job: Job) -> None:
    first = optimize_job(job)
    before = contents(slim(job).parents[1])
    second = optimize_job(job)
    assert (first.outcome, second.outcome) == ("published", "unchanged")
    assert second.report == load_report(record(job))
    assert contents(slim(job).parents[1]) == before


def test_what_one_call_or_an_exporter_made_is_done_too(job: Job) -> None:
    optimize_saved_model(job.source)
    assert optimize_job(job).outcome == "unchanged"


def test_what_was_killed_before_its_record_was_written_is_taken_up(
        job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed
    with monkeypatch.context() as dying, pytest.raises(Killed):
        dying.setattr("estimator_slim.recording.keep", die)
        dying.setattr("tensorflow.io.gfile.remove", die)  # what is left of a killed process stays
        optimize_job(job)
    assert slim(job).exists()
    assert not record(job).exists()
    assert optimize_job(job).outcome == "unchanged"
    kept = load_report(record(job))
    assert kept.bytes_after == sum(f.stat().st_size for f in slim(job).rglob("*") if f.is_file())
    assert {path.stem for path in record(job).parent.iterdir()} == {record(job).stem}


def another_original(job: Job) -> Job:
    with open(f"{job.source}/variables/variables.index", "r+b") as file:
        file.write(b"\1")
    return job


def other_options(job: Job) -> Job:
    return dataclasses.replace(job, options=resolve(FUNCTION, {"bits": 4}))


def other_tags(job: Job) -> Job:
    return dataclasses.replace(job, tags=("train",))


def no_record(job: Job) -> Job:
    record(job).unlink()
    return job


@pytest.mark.parametrize("changed, why", [
    (another_original, "was made of other files than .* has now"),
    (other_options, "was made with transforms='.*'"),
    (other_tags, r"was made of the MetaGraph tagged \['serve'\]"),
    (no_record, "has no record that says what it was made of")])
def test_what_is_something_else_stays_and_is_an_error(job: Job, changed: Callable, why: str) -> None:
    optimize_job(job)
    before = contents(slim(job))
    again = optimize_job(changed(job))
    assert again.outcome == "failed"
    assert not again.is_done
    assert again.report.error is not None
    assert again.report.error.type == "DestinationError"
    assert re.search(f"exists already and {why}; it is never overwritten", again.report.error.message)
    assert contents(slim(job)) == before


def test_a_failure_is_a_result_with_a_record(job: Job) -> None:
    many.break_one(Path(job.source))
    result = optimize_job(job)
    assert (result.outcome, result.is_done) == ("failed", False)
    assert load_report(record(job)) == result.report
    assert result.report.error is not None
    assert result.report.error.type == "SourceError"
    assert not slim(job).exists()


def test_where_there_is_no_servable_the_result_says_so(job: Job) -> None:
    result = optimize_job(dataclasses.replace(job, source="/no/such"))
    assert result.report.error is not None
    assert result.report.error.message.startswith("/no/such is not there")


def test_options_that_make_no_other_servable_make_no_difference(job: Job, tmp_path: Path) -> None:
    optimize_job(job)
    same = dataclasses.replace(job, options=resolve(FUNCTION, {"on_error": "raise", "suffix": "-b"}))
    assert optimize_job(same).outcome == "unchanged"
    assert fleet.Result(optimize_job(same).report).outcome == "published"
