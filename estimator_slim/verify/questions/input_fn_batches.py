"""Runs an Estimator's input_fn: its first batches, as arrays."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.util import function_utils

from estimator_slim.errors import OptionError
from estimator_slim.verify.answers.serving import refusal

Batch = tuple[dict[str, Any], Any]  # features by key, labels or None
v1 = tf.compat.v1


def input_fn_batches(input_fn: Callable[..., Any], count: int) -> list[Batch]:
    """The first `count` batches of (features, labels), or fewer where it ends before.

    It is called in a graph of its own, on the CPU. Features are arrays, SparseTensorValues and
    RaggedTensorValues by key; an only one without a key has the key ``.

    Raises:
      OptionError: it fails, or returns what is no input_fn's.
    """
    try:
        with tf.Graph().as_default(), tf.device("/cpu:0"):
            v1.set_random_seed(1)
            return _batches(input_fn(**_arguments(input_fn)), count)
    except Exception as e:
        cause = refusal(e)
        raise OptionError(
            f"verify_input_fn: calling it and running its first {count} batches raised {cause.error}: "
            f"{cause.message}; expected a function as Estimator.evaluate takes it, which returns a "
            "tf.data.Dataset or a pair of features and labels (params and config are the Estimator's in "
            "an OptimizingExporter; elsewhere bind them with functools.partial); correct it, or give "
            "none") from e


def as_called_by(estimator: Any, input_fn: Callable[..., Any]) -> Callable[..., Any]:
    """`input_fn` with the params and the config that `estimator` calls it with, if it takes them."""
    known = {"params": estimator.params, "config": estimator.config}
    return functools.partial(input_fn, **_asked_for(input_fn, known))


def _arguments(input_fn: Callable[..., Any]) -> dict[str, Any]:
    """What an Estimator passes, as far as it is known without one."""
    known = {"mode": tf.estimator.ModeKeys.EVAL, "params": {}, "config": tf.estimator.RunConfig()}
    return _asked_for(input_fn, known)


def _asked_for(input_fn: Callable[..., Any], known: dict[str, Any]) -> dict[str, Any]:
    names = function_utils.fn_args(input_fn)  # as the Estimator finds out; less what a partial binds
    return {name: value for name, value in known.items() if name in names}


def _batches(result: Any, count: int) -> list[Batch]:
    start = tf.no_op()
    if isinstance(result, tf.data.Dataset):
        iterator = v1.data.make_initializable_iterator(result)
        start, result = iterator.initializer, iterator.get_next()
    features, labels = result if isinstance(result, (tuple, list)) else (result, None)
    fetched = {"features": features if isinstance(features, dict) else {"": features}}
    if labels is not None:
        fetched["labels"] = labels
    return [({key: _array(value) for key, value in batch["features"].items()}, batch.get("labels"))
            for batch in _run(start, fetched, count)]


def _array(value: Any) -> Any:
    """A fetched scalar as an array; sparse and ragged values as they are."""
    return np.array(value, object if isinstance(value, bytes) else None) if np.isscalar(value) else value


def _run(start: tf.Operation, fetched: Any, count: int) -> list[Any]:
    """Runs `fetched` up to `count` times in a session in which everything is ready for it."""
    result: list[Any] = []
    with v1.Session(config=v1.ConfigProto(device_count={"GPU": 0})) as session:
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer(),
                     v1.tables_initializer()])
        session.run(start)
        coordinator = tf.train.Coordinator()
        queues = [thread for queue in v1.get_collection(v1.GraphKeys.QUEUE_RUNNERS)
                  for thread in queue.create_threads(session, coordinator, daemon=True, start=True)]
        with contextlib.suppress(tf.errors.OutOfRangeError):
            while len(result) < count:
                result.append(session.run(fetched))
        coordinator.request_stop()
        coordinator.join(queues, stop_grace_period_secs=10, ignore_live_threads=True)
    return result
