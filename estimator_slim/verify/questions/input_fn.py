"""Questions from an Estimator's input_fn: its first batches, as each signature takes them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.util import function_utils
from tensorflow_estimator.python.estimator.tpu import tpu_estimator

from estimator_slim import log
from estimator_slim.errors import OptionError
from estimator_slim.saved_model import Servable
from estimator_slim.verify.answers import refusal
from estimator_slim.verify.questions.own_data import Batch, own_requests
from estimator_slim.verify.request import Request

v1 = tf.compat.v1


def input_fn_requests(input_fn: Callable[..., Any], servable: Servable, *,
                      batches: int = 16) -> list[Request]:
    """Requests of the first `batches` batches, with labels, for each signature that they can feed.

    Args:
      input_fn: as Estimator.evaluate takes it: returns a tf.data.Dataset, which may be infinite, of
        features and labels, or a pair of them as tensors. It is called in a graph of its own, on
        the CPU.
      servable: where a signature parses tf.Examples, they are made of the features.

    Raises:
      OptionError: the input_fn fails, or no signature takes what it yields.
    """
    taken = input_fn() if isinstance(input_fn, Drawn) else input_fn_batches(input_fn, batches)
    if not taken:
        log.warning("estimator_slim: verify_input_fn gives no batch")
        return []
    return own_requests(taken, servable, "verify_input_fn", "input_fn")


class Drawn:
    """The first batches of an input_fn, in its place: other than a function, they go to any process."""

    def __init__(self, input_fn: Callable[..., Any], batches: int = 16) -> None:
        """Draws them. Raises OptionError where the input_fn fails."""
        self._batches = input_fn_batches(input_fn, batches)
        while isinstance(input_fn, functools.partial):
            input_fn = input_fn.func
        self.__module__ = input_fn.__module__  # by which records name it
        self.__qualname__ = getattr(input_fn, "__qualname__", type(input_fn).__name__)

    def __call__(self) -> list[Batch]:
        return self._batches


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
    """`input_fn` with the params and the config that `estimator` evaluates it with, if it takes them."""
    known = {"params": _params(estimator), "config": estimator.config}
    return functools.partial(input_fn, **_asked_for(input_fn, known))


def _params(estimator: Any) -> Any:
    """A TPUEstimator adds the batch size of an evaluation to its params, HParams or a dict."""
    params = estimator.params
    if not isinstance(estimator, v1.estimator.tpu.TPUEstimator):
        return params
    with estimator._ctx.with_mode(tf.estimator.ModeKeys.EVAL) as context:
        size = context.global_batch_size
    if size is not None:
        tpu_estimator._add_item_to_params(params, "batch_size", size)
    return params


def _arguments(input_fn: Callable[..., Any]) -> dict[str, Any]:
    """What an Estimator passes, as far as it is known without one."""
    known = {"mode": tf.estimator.ModeKeys.EVAL, "params": {}, "config": tf.estimator.RunConfig(),
             "input_context": tf.distribute.InputContext()}
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
