"""A process of a training on two workers, each with all weights: a MultiWorkerMirroredStrategy.

    TF_CONFIG=... python -m tests.clusters.mirrored MODEL_DIR

Only the newest checkpoint is kept. The evaluator is a task of the cluster, as the strategy wants it.
"""

from __future__ import annotations

import sys

import tensorflow as tf

from estimator_slim import OptimizingExporter
from tests.clusters import partitioned
from tests.clusters.pace import Announcing, Paced
from tests.clusters.task import train
from tests.support.training import LABELS, input_fn


def main(model_dir: str) -> None:
    tf.compat.v1.disable_eager_execution()  # as TensorFlow asks for, of Estimators with this strategy
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    config = tf.estimator.RunConfig(model_dir, save_checkpoints_steps=partitioned.BETWEEN,
                                    keep_checkpoint_max=1, train_distribute=strategy)
    print(f"replicas: {strategy.num_replicas_in_sync}", flush=True)
    trained = tf.estimator.DNNClassifier([8], partitioned.columns(), n_classes=3,
                                         label_vocabulary=LABELS, config=config)
    slimming = [OptimizingExporter(one, verify_input_fn=input_fn) for one in partitioned.exporters()]
    train(trained, input_fn, partitioned.STEPS, [*slimming, Announcing()], [Paced(model_dir)])


if __name__ == "__main__":
    main(*sys.argv[1:])
