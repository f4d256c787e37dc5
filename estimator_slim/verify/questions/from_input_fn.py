"""Questions from an Estimator's input_fn: its features, as each signature takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim import log
from estimator_slim.saved_model.reader import Servable
from estimator_slim.verify.questions.features import fed
from estimator_slim.verify.questions.input_fn_batches import Batch, input_fn_batches
from estimator_slim.verify.questions.rows import values_of
from estimator_slim.verify.questions.served_inputs import ServedInput, signature_inputs
from estimator_slim.verify.request import Request


def input_fn_requests(input_fn: Callable[..., Any], servable: Servable, *,
                      batches: int = 16) -> list[Request]:
    """Requests of the first `batches` batches, with labels, for each signature that they can feed.

    Args:
      input_fn: as Estimator.evaluate takes it: returns a tf.data.Dataset, which may be infinite, of
        features and labels, or a pair of them as tensors. It is called in a graph of its own, on
        the CPU.
      servable: where a signature parses tf.Examples, they are made of the features.

    Raises:
      OptionError: the input_fn fails.
    """
    taken = input_fn_batches(input_fn, batches)
    if not taken:
        log.warning("estimator_slim: verify_input_fn gives no batch")
        return []
    result = []
    for key, inputs in signature_inputs(servable, servable.graph.consumers()):
        found = [Request(key, values, "input_fn", labels) for batch in taken
                 for values, labels in _asked(inputs, batch)]
        if not found:
            log.warning(
                "estimator_slim: the features of verify_input_fn (%s) are not what signature %r takes "
                "(%s), which is asked other requests instead", _given(taken[0][0]), key, _taken(inputs))
        result += found
    return result


def _asked(inputs: Any, batch: Batch) -> Iterator[tuple[dict[str, Any], np.ndarray | None]]:
    features, labels = batch
    for rows, values in fed(inputs, features):
        yield values, labels[rows] if _is_one_each(labels) else None


def _given(features: dict[str, Any]) -> str:
    return ", ".join(f"{key!r} of {tf.as_dtype(values_of(value).dtype).name}"
                     for key, value in sorted(features.items()))


def _taken(inputs: Sequence[ServedInput]) -> str:
    wanted = [part for one in inputs for part in one.features or (one,)]
    return ", ".join(f"{part.key!r} of {part.dtype.name}" for part in wanted) or "nothing"


def _is_one_each(labels: Any) -> bool:
    """True for an array [batch] or [batch, 1]."""
    return isinstance(labels, np.ndarray) and labels.ndim in (1, 2) and labels.shape[1:] in ((), (1,))
