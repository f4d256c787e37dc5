"""One process of a cluster that trains, as TF_CONFIG says: chief, worker, ps or evaluator.

    TF_CONFIG=... python -m tests.exporter.cluster MODEL_DIR

The table has two partitions, on two parameter servers; only the newest checkpoint is kept.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import tensorflow as tf

from estimator_slim import OptimizingExporter
from tests.support.training import LABELS, input_fn

STEPS, BETWEEN = 60, 20  # of training, and between checkpoints


class Slow(tf.estimator.SessionRunHook):
    """A step takes a while, so that evaluations come in between."""

    def after_run(self, *_: Any) -> None:
        time.sleep(0.2)


def columns() -> list[Any]:
    words = tf.feature_column.categorical_column_with_hash_bucket("words", 300)
    return [tf.feature_column.embedding_column(words, 4)]


def main(model_dir: str) -> None:
    v1 = tf.compat.v1
    config = tf.estimator.RunConfig(model_dir, save_checkpoints_steps=BETWEEN, keep_checkpoint_max=1)
    estimator = v1.estimator.DNNClassifier(
        [8], columns(), n_classes=3, label_vocabulary=LABELS, config=config,
        input_layer_partitioner=v1.fixed_size_partitioner(2))
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec(columns()))
    exporters = [tf.estimator.BestExporter("best", receiver, compare_fn=lambda best_eval_result,
                                           current_eval_result: True),
                 tf.estimator.LatestExporter("latest", receiver)]
    tf.estimator.train_and_evaluate(
        estimator, tf.estimator.TrainSpec(input_fn, max_steps=STEPS, hooks=[Slow()]),
        tf.estimator.EvalSpec(input_fn, steps=2, start_delay_secs=0, throttle_secs=0, exporters=[
            OptimizingExporter(one, background="--background" in sys.argv) for one in exporters]))


if __name__ == "__main__":
    main(sys.argv[1])
