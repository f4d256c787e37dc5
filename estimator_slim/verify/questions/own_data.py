"""Your own rows, from an input_fn or a file, as each signature takes them; or what they have to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import OptionError
from estimator_slim.graph import Consumers
from estimator_slim.saved_model import Servable
from estimator_slim.verify.questions.features import SERIALIZED, fed, values_of
from estimator_slim.verify.questions.served_inputs import (
    ServedInput,
    signature_inputs,
    without_calls,
)
from estimator_slim.verify.request import Request

Batch = tuple[dict[str, Any], Any]  # features by key, labels or None


def own_requests(batches: Sequence[Batch], servable: Servable, option: str, origin: str,
                 signature: str = "") -> list[Request]:
    """The requests of each signature that the batches can feed; a warning names one that they cannot.

    Args:
      batches: features and labels. Where a signature parses tf.Examples, they are made of the features
        that its parser takes, or are there as they are: without a key, or with the input's own.
      servable: the original.
      option: that the rows are of, for messages.
      origin: of the requests.
      signature: the only one that they are for; `` for all that take them.

    Raises:
      OptionError: no signature takes them.
    """
    plain = without_calls(servable)
    served = dict(signature_inputs(plain, Consumers(plain.graph), parts=True))
    inputs = {key: those for key, those in served.items() if signature in ("", key)}
    if not inputs:
        raise OptionError(f"{option}: there is no signature {signature!r}; there are {sorted(served)}")
    result = {key: [Request(key, values, origin, labels) for batch in batches
                    for values, labels in _asked(those, batch)] for key, those in inputs.items()}
    given = _given(batches[0][0])
    unfit = {key: _taken(inputs[key]) for key, found in result.items() if not found}
    if len(unfit) == len(inputs):
        wanted = "; ".join(f"signature {key!r} takes {taken}" for key, taken in unfit.items())
        raise OptionError(f"{option}: no signature takes its features ({given}); expected what a "
                          f"request holds, under the same names: {wanted}. Where the serving function "
                          "makes features of it, give it as it is before that")
    for key, taken in unfit.items():
        log.warning("estimator_slim: the features of %s (%s) are not what signature %r takes (%s), "
                    "which is asked other requests instead", option, given, key, taken)
    return [request for found in result.values() for request in found]


def _asked(inputs: Any, batch: Batch) -> Iterator[tuple[dict[str, Any], np.ndarray | None]]:
    features, labels = batch
    for rows, values in fed(inputs, features):
        yield values, labels[rows] if _is_one_each(labels) else None


def _given(features: dict[str, Any]) -> str:
    if SERIALIZED in features:
        return "serialized tf.Examples"
    return ", ".join(f"{key!r} of {tf.as_dtype(values_of(value).dtype).name}"
                     for key, value in sorted(features.items()))


def _taken(inputs: Sequence[ServedInput]) -> str:
    """`'text' of string, or serialized tf.Examples as 'inputs'`."""
    wanted = [f"{part.key!r} of {part.dtype.name}" for one in inputs for part in one.features or (one,)]
    examples = [f"or serialized tf.Examples as {one.key!r}" for one in inputs if one.features]
    return ", ".join(wanted + examples) or "nothing"


def _is_one_each(labels: Any) -> bool:
    """True for an array [batch] or [batch, 1]."""
    return isinstance(labels, np.ndarray) and labels.ndim in (1, 2) and labels.shape[1:] in ((), (1,))
