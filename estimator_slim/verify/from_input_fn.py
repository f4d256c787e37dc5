"""Questions from an Estimator's input_fn: its features, as each signature takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from absl import logging

from estimator_slim.saved_model.reader import Servable
from estimator_slim.verify.features import fed
from estimator_slim.verify.input_fn_batches import Batch, input_fn_batches
from estimator_slim.verify.request import Request
from estimator_slim.verify.served_inputs import signature_inputs


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
        logging.warning("estimator_slim: verify_input_fn gives no batch")
    signatures = list(signature_inputs(servable, servable.graph.consumers()))
    return [Request(key, values, "input_fn", labels) for key, inputs in signatures for batch in taken
            for values, labels in _asked(inputs, batch)]


def _asked(inputs: Any, batch: Batch) -> Iterator[tuple[dict[str, Any], np.ndarray | None]]:
    features, labels = batch
    for rows, values in fed(inputs, features):
        yield values, labels[rows] if _is_one_each(labels) else None


def _is_one_each(labels: Any) -> bool:
    """True for an array [batch] or [batch, 1]."""
    return isinstance(labels, np.ndarray) and labels.ndim in (1, 2) and labels.shape[1:] in ((), (1,))
