"""What each process of a cluster does: it trains, serves parameters or evaluates, as TF_CONFIG says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from absl import logging


def train(estimator: Any, input_fn: Callable[[], Any], steps: int, exporters: Sequence[Any],
          hooks: Sequence[Any], evaluated: Callable[[], Any] | None = None) -> None:
    """Does what the task does, and logs what estimator_slim says.

    Args:
      estimator: for this model_dir and cluster.
      input_fn: of the training.
      steps: of the training, all in all.
      exporters: which an evaluator calls.
      hooks: of each process that trains.
      evaluated: an input_fn that ends; None: two batches of the training.
    """
    tf.get_logger().setLevel("ERROR")
    logging.set_verbosity(logging.INFO)
    tf.estimator.train_and_evaluate(
        estimator, tf.estimator.TrainSpec(input_fn, steps, hooks),
        tf.estimator.EvalSpec(evaluated or input_fn, None if evaluated else 2, exporters=exporters,
                              start_delay_secs=0, throttle_secs=0))
