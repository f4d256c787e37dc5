"""One servable of many: passed over where it is done already, else optimized; a failure is a result.

It is done if it stands at its destination, and its record says that it was made of the same files with
the same options. A process may be killed when the slim servable is there and its record is not yet. So
what it is to be made of is written down before the work begins, beside the record to come.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import DestinationError, EstimatorSlimError
from estimator_slim.libraries import import_libraries
from estimator_slim.optimize import optimize
from estimator_slim.options import Options
from estimator_slim.record_files import announced, keep, read_announced, read_record
from estimator_slim.recording import choices, recorded
from estimator_slim.report import FAILED, PUBLISHED, Problem, Report
from estimator_slim.saved_model import fingerprint_of
from estimator_slim.work import bytes_of

UNCHANGED = "unchanged"
# Options that make no other slim servable.
_ASIDE = ("enabled", "layout", "on_error", "patience", "report", "root", "suffix", "verify_memory")


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes:
      source: directory of one exported version.
      destination: directory of the slim servable to be.
      options: what was chosen.
      tags: of the MetaGraph to optimize.
      byte_count: of the original's files, as far as it was looked at.
    """

    source: str
    destination: str
    options: Options
    tags: tuple[str, ...] = ("serve",)
    byte_count: int = 0


@dataclass(frozen=True)
class Result:
    """What became of a servable.

    Attributes:
      report: its record; where it was done before, the one from then.
      was_done: it was passed over.
    """

    report: Report
    was_done: bool = False

    @property
    def outcome(self) -> str:
        """`published`, `unchanged` (done before), `refused` or `failed`."""
        return UNCHANGED if self.was_done else self.report.outcome

    @property
    def is_done(self) -> bool:
        """A slim servable of this original stands at its destination."""
        return self.report.outcome == PUBLISHED


def optimize_job(job: Job) -> Result:
    """Optimizes a servable unless that is done, and keeps the record of it; failures are results."""
    import_libraries(job.options.imports)  # one of which may know the file system
    return done_before(job) or _optimized(job)


def done_before(job: Job) -> Result | None:
    """The result where something stands at the destination, right or wrong; None: nothing does."""
    if not tf.io.gfile.exists(os.path.join(job.destination, "saved_model.pb")):
        return None
    plan = _plan(job)
    try:
        plan.fingerprint = fingerprint_of(job.source)
        return Result(_standing(plan, job.options.report), was_done=True)
    except EstimatorSlimError as e:
        return failed(job, e)


def _optimized(job: Job) -> Result:
    report, place = _plan(job), job.options.report
    try:
        report.fingerprint = fingerprint_of(job.source)
        with announced(report, place), recorded(job.source, job.destination, place) as record:
            report, record.fingerprint = record, report.fingerprint
            optimize(report, job.options, tags=job.tags)
    except EstimatorSlimError as e:
        return Result(report) if report.error else failed(job, e)
    except Exception as e:
        log.failure(e, f"estimator_slim: no slim servable of {job.source}; the original is as it was")
    return Result(report)


def _plan(job: Job) -> Report:
    return Report(job.source, job.destination, options=choices(job.options), tags=list(job.tags))


def failed(job: Job, error: EstimatorSlimError) -> Result:
    """The result of a job that came to nothing, and the record of that."""
    report = _plan(job)
    report.outcome, report.error = FAILED, Problem(type(error).__name__, str(error))
    keep(report, job.options.report)
    return Result(report)


def _standing(plan: Report, place: str | None) -> Report:
    """The record of what stands at the destination, which is what is planned.

    Raises:
      DestinationError: something else stands there.
    """
    record = read_record(plan.destination, place)
    if record is not None and record.outcome == PUBLISHED and not _other(record, plan):
        return record
    begun = read_announced(plan.destination, place)
    if begun is not None and not _other(begun, plan):
        begun.bytes_before, begun.bytes_after = map(bytes_of, (plan.source, plan.destination))
        with announced(begun, place):
            keep(begun, place)
        return begun
    why = _other(record, plan) if record else "has no record that says what it was made of"
    raise DestinationError(f"{plan.destination} exists already and {why}; it is never overwritten. "
                           "Remove it, or give another destination")


def _other(record: Report, plan: Report) -> str:
    """What a slim servable was made of that is not what is planned; "" where it is the same."""
    if record.fingerprint != plan.fingerprint:
        return f"was made of other files than {plan.source} has now"
    if record.tags != plan.tags:
        return f"was made of the MetaGraph tagged {record.tags}"
    planned = {one.name: one.value for one in plan.options}
    for one in record.options:
        if one.name not in _ASIDE and one.value != planned.get(one.name, one.value):
            return f"was made with {one.name}={one.value!r}"
    return ""
