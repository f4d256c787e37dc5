"""The questions of a verification: from the best source there is, and the edge cases beside.

The sources, the best one first: an input_fn, the servable's warm-up records, a file of tf.Examples; and
where none has questions for a signature, what is made up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import OptionError
from estimator_slim.graph import Consumers
from estimator_slim.saved_model import Servable
from estimator_slim.verify.answers import refusal
from estimator_slim.verify.prediction_logs import INSTALL, WARM_UP_FILE, is_installed, read_warm_up
from estimator_slim.verify.questions.cases import TYPICAL
from estimator_slim.verify.questions.features import in_fixed_batches
from estimator_slim.verify.questions.input_fn import input_fn_requests
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.questions.served_inputs import ServedInput, signature_inputs
from estimator_slim.verify.request import Request
from estimator_slim.verify.tfrecords import read_records

_MOST_EXAMPLES = 1024
_BATCH = 64


def questions_for(servable: Servable, *, input_fn: Callable[..., Any] | None = None,
                  examples: str | None = None, seed: int = 0) -> list[Request]:
    """What to ask a servable and its slim twin.

    For each signature, real requests from the first of these that has any: `input_fn`, the
    servable's warm-up records, the TFRecord file `examples`. Where there are none, a typical batch
    that is made up from the graph. Behind them made-up edge cases for every signature.

    Raises:
      OptionError: `input_fn` fails, or `examples` cannot be read.
    """
    real: dict[str, list[Request]] = {}
    for source in _sources(servable, input_fn, examples):
        found = [request for request in source if request.signature not in real]
        for request in found:
            real.setdefault(request.signature, []).append(request)
    made_up = [request for request in made_up_requests(servable, seed=seed)
               if request.signature not in real or request.origin != TYPICAL.name]
    return [request for key in sorted(real) for request in real[key]] + made_up


def warm_up_requests(directory: str) -> list[Request]:
    """The requests in `assets.extra/tf_serving_warmup_requests` of the SavedModel in `directory`.

    None where there is no such file, or where the package tensorflow-serving-api is not installed.
    """
    path = os.path.join(directory, WARM_UP_FILE)
    if not tf.io.gfile.exists(path):
        return []
    if not is_installed():
        log.info("estimator_slim: %s is not read; to verify with the requests in it, %s", path,
                 INSTALL)
        return []
    records = list(read_warm_up(path))
    for number, record in enumerate(records):
        if record.fault:
            log.warning("estimator_slim: record %d of %s is not asked: %s", number, path,
                        record.fault)
    return [request for record in records for request in record.requests]


def example_requests(path: str, servable: Servable) -> list[Request]:
    """Requests of the first 1,024 serialized tf.Examples in a TFRecord file.

    For every signature whose only input parses tf.Examples, in batches of 64 or of the size it takes.

    Raises:
      OptionError: the file cannot be read, or has no records.
    """
    try:
        records = read_records(path, _MOST_EXAMPLES)
    except tf.errors.OpError as e:
        raise OptionError(f"verify_examples: {path} cannot be read: {refusal(e).message}; "
                          "expected a TFRecord file of serialized tf.Examples") from e
    if not records:
        raise OptionError(f"verify_examples: {path} has no records; expected a TFRecord file of "
                          "serialized tf.Examples")
    examples = np.empty(len(records), object)
    examples[:] = records
    return [Request(key, {inputs[0].key: batch}, os.path.basename(path))
            for key, inputs in signature_inputs(servable, Consumers(servable.graph))
            if len(inputs) == 1 and inputs[0].features for batch in _batches(inputs[0], examples)]


def _sources(servable: Servable, input_fn: Callable[..., Any] | None,
             examples: str | None) -> Iterator[list[Request]]:
    """The requests of each source, the best one first."""
    if input_fn is not None:
        yield input_fn_requests(input_fn, servable)
    yield warm_up_requests(servable.directory)
    if examples is not None:
        yield example_requests(examples, servable)


def _batches(one: ServedInput, examples: np.ndarray) -> Iterator[np.ndarray]:
    if one.any_batch:
        yield from (examples[start:start + _BATCH] for start in range(0, len(examples), _BATCH))
    else:
        yield from (batch[one.key] for _, batch in in_fixed_batches([one], {one.key: examples}))
