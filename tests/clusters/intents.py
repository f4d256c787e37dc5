"""A process of a training on what people say to their homes, with tables in partitions.

    TF_CONFIG=... python -m tests.clusters.intents MODEL_DIR

The sentences, features and requests are those of examples/intent_classifier.py. A min-max partitioner
decides what is large enough to be split: the table is, the layers behind are not.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from tests.clusters.pace import Announcing, Paced
from tests.clusters.task import train
from tests.support.processes import ROOT

sys.path.append(str(ROOT / "examples"))
import intents_data  # noqa: E402
from side_by_side import to_request as request  # noqa: E402, F401

SEED = 1
STEPS, BETWEEN = 240, 80
BUCKETS, DIMENSION = 50_000, 32  # of the table: 6.4 MB
SMALLEST_PART = 1 << 20  # bytes


def estimator(model_dir: str, labels: list[str]) -> Any:
    v1 = tf.compat.v1
    words = tf.feature_column.categorical_column_with_hash_bucket("words", BUCKETS)
    return v1.estimator.DNNClassifier(
        [64], [tf.feature_column.embedding_column(words, DIMENSION)],
        n_classes=len(labels), label_vocabulary=labels,
        optimizer=lambda: v1.train.AdagradOptimizer(0.05, initial_accumulator_value=1e-6),
        input_layer_partitioner=v1.min_max_variable_partitioner(2, min_slice_size=SMALLEST_PART),
        config=tf.estimator.RunConfig(model_dir, save_checkpoints_steps=BETWEEN, keep_checkpoint_max=1))


def main(model_dir: str) -> None:
    import intent_classifier as example  # it defines flags, which a program does

    from estimator_slim import OptimizingExporter

    splits = intents_data.load(SEED)
    receiver = example.serving_input_receiver_fn
    slimming = [OptimizingExporter(one, verify_input_fn=example.raw_text(splits.validation)) for one in (
        tf.estimator.BestExporter("best", receiver), tf.estimator.LatestExporter("latest", receiver))]
    trained = estimator(model_dir, sorted({intent for _, intent in splits.train}))
    train(trained, example.input_fn(splits.train, SEED), STEPS, [*slimming, Announcing()],
          [Paced(model_dir)], evaluated=example.input_fn(splits.validation))


def held_out() -> list[tuple[str, str]]:
    """Sentences that training never saw, each with its intent: each sixth of the example's test."""
    return intents_data.load(SEED).test[::6]


if __name__ == "__main__":
    main(*sys.argv[1:])
