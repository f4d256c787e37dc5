"""Warm-up records, and which of them a servable answers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from estimator_slim.saved_model.reader import Servable
from estimator_slim.verify import prediction_log
from estimator_slim.verify.answers.asking import Job
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.records import read_records
from estimator_slim.verify.request import Answer, Refusal, Request

MOST_RECORDS = 1000  # TensorFlow Serving loads no servable that has more
_SECONDS = 600.0


@dataclass(frozen=True)
class Record:
    """One record of the file.

    Attributes:
      content: a serialized PredictionLog.
      requests: what it asks.
      fault: why it cannot be replayed, whatever the servable; nothing where it can.
    """

    content: bytes
    requests: tuple[Request, ...] = ()
    fault: str = ""


def read_warm_up(path: str) -> Iterator[Record]:
    """The records in the file at `path`; none if there is no such file."""
    for content in read_records(path, MOST_RECORDS) if tf.io.gfile.exists(path) else ():
        try:
            log = prediction_log.parse(content)
            unsupported = log.WhichOneof("log_type") == "session_run_log"
            yield Record(content, tuple(prediction_log.requests_of(log)),
                         "TensorFlow Serving replays no session_run_log" if unsupported else "")
        except (DecodeError, ValueError) as e:
            yield Record(content, fault=f"it is no PredictionLog ({e})")


def faults(servable: Servable, records: Sequence[Record], tags: Sequence[str]) -> list[str]:
    """For each record why the servable does not answer it; nothing where it does.

    Raises:
      VerificationError: asking it hangs or crashes again and again.
    """
    served = servable.graph.interface.served()
    found = [record.fault or _unfit(record.requests, served) for record in records]
    requests = [r for record, fault in zip(records, found) if not fault for r in record.requests]
    answers = _answers(Job(servable.directory, requests, tags)) if requests else iter(())
    for number, record in enumerate(records):
        if not found[number]:
            asked = list(itertools.islice(answers, len(record.requests)))
            found[number] = next((f"{answer.error}: {answer.message}" for answer in asked
                                  if isinstance(answer, Refusal)), "")
    return found


def _unfit(requests: Sequence[Request], served: Mapping[str, Any]) -> str:
    """What Serving itself refuses: another signature, too few inputs or too many."""
    for request in requests:
        if request.signature not in served:
            return f"there is no signature {request.signature!r}"
        wanted, given = sorted(served[request.signature].inputs), sorted(request.inputs)
        if given != wanted:
            return f"signature {request.signature!r} takes {wanted}, the record has {given}"
    return ""


def _answers(job: Job) -> Iterator[Answer]:
    """What is answered; without end."""
    heard, = ask([job], seconds=_SECONDS)
    unheard = heard.refused or Refusal("DeadlineExceededError", "those before it took too long")
    return itertools.chain(heard.answers, itertools.repeat(unheard))
