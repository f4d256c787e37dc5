"""A process of a training on parameter servers, whose table has two partitions, on two of them.

    TF_CONFIG=... python -m tests.clusters.partitioned MODEL_DIR [--background] [--never]

Only the newest checkpoint is kept. An evaluator is `--never` done with its first: it says by the file
`never.begun` beside the MODEL_DIR that it is at work, and training waits for it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import tensorflow as tf

from estimator_slim import OptimizingExporter
from tests.clusters.pace import Announcing, Paced
from tests.clusters.task import train
from tests.support.training import LABELS, input_fn
from tests.support.waiting import Waiting

STEPS, BETWEEN = 60, 20  # of training, and between checkpoints


def columns() -> list[Any]:
    words = tf.feature_column.categorical_column_with_hash_bucket("words", 300)
    return [tf.feature_column.embedding_column(words, 4)]


def estimator(model_dir: str) -> Any:
    v1 = tf.compat.v1
    config = tf.estimator.RunConfig(model_dir, save_checkpoints_steps=BETWEEN, keep_checkpoint_max=1)
    return v1.estimator.DNNClassifier(
        [8], columns(), n_classes=3, label_vocabulary=LABELS, config=config,
        input_layer_partitioner=v1.fixed_size_partitioner(2))


def exporters() -> list[Any]:
    """Two, each of which exports at each evaluation."""
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec(columns()))
    return [tf.estimator.BestExporter("best", receiver, compare_fn=lambda best_eval_result,
                                      current_eval_result: True),
            tf.estimator.LatestExporter("latest", receiver)]


def main(model_dir: str, *arguments: str) -> None:
    never = [Waiting(path=f"{os.path.dirname(model_dir)}/never")] if "--never" in arguments else None
    slimming = [OptimizingExporter(one, never, background="--background" in arguments)
                for one in exporters()]
    train(estimator(model_dir), input_fn, STEPS, [*slimming, *([] if never else [Announcing()])],
          [Paced(model_dir)])


if __name__ == "__main__":
    main(*sys.argv[1:])
