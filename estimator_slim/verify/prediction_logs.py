"""TensorFlow Serving's warm-up records: what they ask, how one is written, which a servable answers.

A record is a serialized PredictionLog.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from estimator_slim.saved_model import Servable
from estimator_slim.serving_api import message
from estimator_slim.verify.answers import LARGE_BYTES, Job, ask
from estimator_slim.verify.request import Answer, Refusal, Request
from estimator_slim.verify.tfrecords import read_records

WARM_UP_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000  # TensorFlow Serving loads no servable that has more
_ORIGIN = "warm-up"
_SECONDS = 600.0


@dataclass(frozen=True)
class WarmUpRecord:
    """One record of the file.

    Attributes:
      content: a serialized PredictionLog.
      requests: what it asks.
      fault: why it cannot be replayed, whatever the servable; nothing where it can.
    """

    content: bytes
    requests: tuple[Request, ...] = ()
    fault: str = ""


def read_warm_up(path: str) -> Iterator[WarmUpRecord]:
    """The records in the file at `path`; none if there is no such file."""
    for content in read_records(path, MOST_RECORDS) if tf.io.gfile.exists(path) else ():
        try:
            log = parse_log(content)
            unsupported = log.WhichOneof("log_type") == "session_run_log"
            yield WarmUpRecord(content, tuple(requests_of(log)),
                               "TensorFlow Serving replays no session_run_log" if unsupported else "")
        except (DecodeError, ValueError) as e:
            yield WarmUpRecord(content, fault=f"it is no PredictionLog ({e})")


def replay_faults(servable: Servable, records: Sequence[WarmUpRecord], tags: Sequence[str]) -> list[str]:
    """For each record why the servable does not answer it; nothing where it does.

    Raises:
      VerificationError: asking it hangs or crashes again and again.
    """
    served = servable.graph.interface.served()
    found = [record.fault or _unfit(record.requests, served) for record in records]
    requests = [r for record, fault in zip(records, found) if not fault for r in record.requests]
    job = Job(servable.directory, requests, tags, in_files=LARGE_BYTES)
    answers = _answers(job) if requests else iter(())
    for number, record in enumerate(records):
        if not found[number]:
            asked = list(itertools.islice(answers, len(record.requests)))
            found[number] = next((f"{answer.error}: {answer.message}" for answer in asked
                                  if isinstance(answer, Refusal)), "")
    return found


def predict_record(request: Request, model_name: str) -> bytes:
    """A record that asks `request`, of arrays only, by Serving's Predict."""
    log = message("PredictionLog")()
    asked = log.predict_log.request
    asked.model_spec.name, asked.model_spec.signature_name = model_name, request.signature
    for key, value in request.inputs.items():
        asked.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return log.SerializeToString(deterministic=True)


def parse_log(record: bytes) -> Any:
    """The PredictionLog in a record.

    Raises:
      google.protobuf.message.DecodeError: it is none.
    """
    return message("PredictionLog").FromString(record)


def requests_of(log: Any) -> list[Request]:
    """What a PredictionLog asks; [] for kinds that ask no signature.

    Raises:
      ValueError: a tensor in it cannot be read.
    """
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()}
        return [_request(request.model_spec, inputs)]
    if kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        return [_request(request.model_spec, {"inputs": _examples(request.input)})]
    if kind == "multi_inference_log":
        request = log.multi_inference_log.request
        return [_request(task.model_spec, {"inputs": _examples(request.input)})
                for task in request.tasks]
    return []


def _request(model_spec: Any, inputs: dict[str, Any]) -> Request:
    return Request(model_spec.signature_name or "serving_default", inputs, _ORIGIN)


def _examples(given: Any) -> np.ndarray:
    """Serialized Examples, [rows]; as in Serving, what they share stands first in each."""
    kind = given.WhichOneof("kind")
    shared = (given.example_list_with_context.context.SerializeToString()
              if kind == "example_list_with_context" else b"")
    listed = getattr(given, kind).examples if kind else []
    result = np.empty(len(listed), object)
    result[:] = [shared + example.SerializeToString() for example in listed]
    return result


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
    """The answers, and behind them a refusal without end, for what is not asked any more."""
    heard, = ask([job], seconds=_SECONDS)
    unheard = heard.refused or Refusal("DeadlineExceededError", "those before it took too long")
    return itertools.chain(heard.answers, itertools.repeat(unheard))
