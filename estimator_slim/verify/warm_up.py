"""Writes warm-up records, which TensorFlow Serving replays when it loads a servable.

A record that fails there fails the load; so each one is asked before it is written.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import OptionError
from estimator_slim.graph import Consumers
from estimator_slim.saved_model import Servable, read_servable
from estimator_slim.verify.prediction_logs import (
    MOST_RECORDS,
    WARM_UP_FILE,
    WarmUpRecord,
    predict_record,
    read_warm_up,
    replay_faults,
)
from estimator_slim.verify.questions import ServedInput, signature_inputs
from estimator_slim.verify.request import Request

_METHODS = tuple(f"tensorflow/serving/{kind}" for kind in ("predict", "classify", "regress"))
_CANDIDATES = 4  # for each record, as the servable may refuse some


def write_warm_up(directory: str, requests: Sequence[Request], count: int, model_name: str, *,
                  tags: Sequence[str] = ("serve",)) -> int:
    """Writes `assets.extra/tf_serving_warmup_requests` in the SavedModel in `directory`.

    Records that are there already stay in front, if the servable answers them; of others a warning
    says why they are left out. Behind them come up to `count` new ones for each signature that
    Serving's Predict takes: single rows of `requests`, the first ones first, that it answers.

    Args:
      model_name: the name in the new records.

    Returns:
      How many records the file has now.

    Raises:
      OptionError: there would be over 1,000 records.
      VerificationError: asking the servable hangs or crashes again and again.
    """
    path = os.path.join(directory, WARM_UP_FILE)
    old = list(read_warm_up(path))
    servable = read_servable(directory, tags)
    new = _candidates(servable, requests, count, model_name)
    found = iter(replay_faults(servable, old + list(itertools.chain(*new)), tags))
    written = list(_kept(path, old, found))
    for records in new:
        good = [record.content for record in records if not next(found)]
        written += [content for content in good if content not in written][:count]
    _write(path, written, count)
    return len(written)


def _kept(path: str, records: Sequence[WarmUpRecord], found: Iterator[str]) -> Iterator[bytes]:
    for number, record in enumerate(records):
        fault = next(found)
        if fault:
            log.warning("estimator_slim: record %d of %s is left out: a server could not load a "
                        "servable with it: %s", number, path, fault)
        else:
            yield record.content


def _candidates(servable: Servable, requests: Sequence[Request], count: int,
                model_name: str) -> list[list[WarmUpRecord]]:
    """For each signature the records to choose from."""
    result = []
    for key, inputs in _predictable(servable):
        found: dict[bytes, WarmUpRecord] = {}
        for request in _single_rows(key, inputs, requests):
            content = predict_record(request, model_name)
            found.setdefault(content, WarmUpRecord(content, (request,)))
            if len(found) >= _CANDIDATES * count:
                break
        result.append(list(found.values()))
    return result


def _predictable(servable: Servable) -> Iterator[tuple[str, tuple[ServedInput, ...]]]:
    """The signatures that Serving's Predict takes: of its own methods, all tensors dense."""
    for key, inputs in signature_inputs(servable, Consumers(servable.graph)):
        signature = servable.graph.interface.signatures[key]
        infos = (*signature.inputs.values(), *signature.outputs.values())
        if signature.method_name in _METHODS and all(i.WhichOneof("encoding") == "name" for i in infos):
            yield key, inputs
        else:
            log.info("estimator_slim: no warm-up records for signature %s, which Serving's "
                     "Predict does not take", key)


def _single_rows(key: str, inputs: Sequence[ServedInput],
                 requests: Sequence[Request]) -> Iterator[Request]:
    """The rows of the requests to signature `key`, if these have all inputs, which Predict needs."""
    batched = [one.key for one in inputs if one.any_batch]
    for request in requests:
        given = request.inputs
        if request.signature != key or any(one.key not in given for one in inputs):
            continue
        if not batched:
            yield request
        for row in range(min((len(given[name]) for name in batched), default=0)):
            single = {name: given[name][row:row + 1] for name in batched}
            yield replace(request, inputs={**given, **single})


def _write(path: str, records: Sequence[bytes], count: int) -> None:
    if len(records) > MOST_RECORDS:
        raise OptionError(f"warmup={count} makes {len(records)} warm-up records for {path}, and "
                          f"TensorFlow Serving loads no servable with over {MOST_RECORDS}; set it lower")
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(path + ".new") as writer:
        for record in records:
            writer.write(record)
    tf.io.gfile.rename(path + ".new", path, overwrite=True)
