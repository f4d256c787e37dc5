"""The questions of a verification: from the best source there is, and the edge cases beside.

The sources, the best one first: an input_fn, the servable's warm-up records, a file; and
where none has questions for a signature, what is made up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from estimator_slim import log
from estimator_slim.saved_model import Servable
from estimator_slim.verify.prediction_logs import WARM_UP_FILE, read_warm_up
from estimator_slim.verify.questions.cases import TYPICAL
from estimator_slim.verify.questions.files import read_rows
from estimator_slim.verify.questions.input_fn import input_fn_requests
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.questions.own_data import Batch, own_requests
from estimator_slim.verify.request import Request


def questions_for(servable: Servable, *, input_fn: Callable[..., Any] | None = None,
                  examples: str | None = None, seed: int = 0) -> list[Request]:
    """What to ask a servable and its slim twin.

    For each signature, real requests from the first of these that has any: `input_fn`, the
    servable's warm-up records, the file `examples`. Where there are none, a typical batch
    that is made up from the graph. Behind them made-up edge cases for every signature.

    Raises:
      OptionError: `input_fn` fails, `examples` cannot be read, or no signature takes what they hold.
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

    None where there is no such file.
    """
    path = os.path.join(directory, WARM_UP_FILE)
    records = list(read_warm_up(path))
    for number, record in enumerate(records):
        if record.fault:
            log.warning("estimator_slim: record %d of %s is not asked: %s", number, path,
                        record.fault)
    return [request for record in records for request in record.requests]


def example_requests(path: str, servable: Servable) -> list[Request]:
    """Requests of the first 1,024 rows of a file, for every signature that takes them.

    The file has serialized tf.Examples (TFRecord), or rows of inputs or of the features of Examples
    (JSON, .npz). They are asked in batches of 64, or of the size that a signature takes.

    Raises:
      OptionError: the file cannot be read, has no rows, or rows that no signature takes.
    """
    batches: dict[str, list[Batch]] = {}
    for signature, features in read_rows(path):
        batches.setdefault(signature, []).append((features, None))
    name, option = os.path.basename(path), f"verify_examples={path}"
    return [request for signature, those in batches.items()
            for request in own_requests(those, servable, option, name, signature)]


def _sources(servable: Servable, input_fn: Callable[..., Any] | None,
             examples: str | None) -> Iterator[list[Request]]:
    """The requests of each source, the best one first."""
    if input_fn is not None:
        yield input_fn_requests(input_fn, servable)
    yield warm_up_requests(servable.directory)
    if examples is not None:
        yield example_requests(examples, servable)
