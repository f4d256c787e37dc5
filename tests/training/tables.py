"""An Estimator with many tables in one model, each with an initializer and an optimizer of its own.

Ids below LAST are looked up, those from EARLY on in the first step alone, so that it is known from the
data which rows training must touch.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.ask import session_options

v1 = tf.compat.v1
legacy = tf.keras.optimizers.legacy

ROWS, DIM = 600, 4
EARLY, LAST = 150, 200  # rows 150..200 are touched by the first step alone
BATCH = 10
_CONFIG = {"tf_random_seed": 1, "save_summary_steps": 1000, "log_step_count_steps": None,
           "session_config": session_options()}


@dataclass
class Table:
    """A table of ROWS rows.

    Attributes:
      optimizer: makes what trains it.
      initializer: what it starts from; the default is uniform.
      partitions: the number of parts in which it lies.
      loss: added to the loss, given the table.
      references: it is a variable as TensorFlow 1.x has them.
      init: given the table, makes what is run in the session at the start.
    """

    optimizer: Callable[[], Any] | None
    initializer: Any = None
    partitions: int = 1
    loss: Callable[[Any], Any] | None = None
    references: bool = False
    init: Callable[[Any], Callable[[Any], Any]] | None = None


def ids_of(steps: int) -> np.ndarray:
    """The ids of each step, int64 [steps, BATCH, 5]; none twice, so that no gradients cancel."""
    rng = np.random.default_rng(7)
    first = np.resize(np.arange(EARLY, LAST), (1, BATCH, 5))
    others = [rng.permutation(EARLY)[:BATCH * 5].reshape(1, BATCH, 5) for _ in range(steps - 1)]
    return np.concatenate([first, *others])


def input_fn(steps: int) -> Callable[[], Any]:
    """A batch a step: ids and labels of two classes."""
    ids = ids_of(steps)
    return lambda: tf.data.Dataset.from_tensor_slices(({"ids": ids}, ids.sum(2) % 2))


def serving() -> Any:
    """Receives ids."""
    ids = v1.placeholder(tf.int64, [None, 5], "ids")
    return tf.estimator.export.ServingInputReceiver({"ids": ids}, {"ids": ids})


def model_fn(tables: Mapping[str, Table], before: Callable[[], None] | None = None,
             columns: Sequence[Any] = (), share: float = 1.0) -> Callable:
    """Logits are the sums of what all tables and columns say; each table has its own optimizer.

    `before` is run ahead of the updates. The loss is the sum over the batch, multiplied by `share`.
    """
    def model(features: Any, labels: Any, mode: str) -> Any:
        variables = {name: _variable(name, table) for name, table in tables.items()}
        weights = tf.constant(np.linspace(-0.2, 0.2, 2 * DIM).reshape(DIM, 2), tf.float32)
        rows = [tf.reduce_sum(v1.nn.embedding_lookup(v, features["ids"], "div"), 1)
                for v in variables.values()]
        if columns:
            rows.append(v1.feature_column.input_layer(features, columns))
        logits = tf.add_n(rows) @ weights
        if mode == tf.estimator.ModeKeys.PREDICT:
            return tf.estimator.EstimatorSpec(mode, predictions={"logits": logits}, export_outputs={
                "serving_default": tf.estimator.export.PredictOutput({"logits": logits})})
        loss = v1.losses.sparse_softmax_cross_entropy(labels, logits, reduction="weighted_sum") * share
        if before:
            before()
        steps = [_trained(table, variables[name], loss) for name, table in tables.items()
                 if table.optimizer]
        if columns:
            steps.append(v1.train.AdagradOptimizer(0.1).minimize(
                loss, var_list=v1.trainable_variables("input_layer")))
        with tf.control_dependencies(steps):
            step = v1.assign_add(v1.train.get_global_step(), 1).op
        inits = [table.init(variables[name]) for name, table in tables.items() if table.init]

        def init(_: Any, session: Any) -> None:
            for run in inits:
                run(session)
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=step,
                                          scaffold=v1.train.Scaffold(init_fn=init) if inits else None)
    return model


def _variable(name: str, table: Table) -> Any:
    part = v1.fixed_size_partitioner(table.partitions) if table.partitions > 1 else None
    initializer = table.initializer or v1.random_uniform_initializer(-0.1, 0.1)
    shape = None if isinstance(initializer, tf.Tensor) else [ROWS, DIM]
    return v1.get_variable(name, shape, initializer=initializer, partitioner=part,
                           use_resource=not table.references)


def _trained(table: Table, variable: Any, loss: Any) -> Any:
    assert table.optimizer
    optimizer = table.optimizer()
    parts = list(variable) if table.partitions > 1 else [variable]
    total = loss + table.loss(variable) if table.loss else loss
    if isinstance(optimizer, v1.train.Optimizer):
        return optimizer.minimize(total, var_list=parts)
    return tf.group(*optimizer.get_updates(total, parts))


def train(folder: Path, tables: Mapping[str, Table], steps: int = 6,
          **arguments: Any) -> tuple[str, str]:
    """Trains and exports; returns the servable and the prefix of its checkpoint, the first beside it."""
    config = tf.estimator.RunConfig(str(folder / "model"), save_checkpoints_steps=steps, **_CONFIG)
    warm_start = arguments.pop("warm_start_from", None)
    estimator = tf.estimator.Estimator(model_fn(tables, **arguments), config=config,
                                       warm_start_from=warm_start)
    estimator.train(input_fn(steps), max_steps=steps)
    servable = os.fsdecode(estimator.export_saved_model(str(folder / "export"), serving))
    return servable, str(folder / "model" / f"model.ckpt-{steps}")


def alone(prefix: str, folder: Path) -> str:
    """The checkpoint without the first one beside it; returns its prefix there."""
    folder.mkdir(parents=True)
    for path in Path(prefix).parent.glob(f"{Path(prefix).name}.*"):
        shutil.copy(path, folder)
    return str(folder / Path(prefix).name)


def moved(prefix: str, key: str) -> np.ndarray:
    """How far training moved each row of a table, by the largest of its values, float [rows]."""
    first = tf.train.load_checkpoint(f"{prefix.rpartition('-')[0]}-0").get_tensor(key)
    return np.abs(tf.train.load_checkpoint(prefix).get_tensor(key) - first).max(axis=1)


def optimizers(names: Sequence[str] | None = None) -> dict[str, Table]:
    """A table for each optimizer that leaves something, by a name that is good for a variable."""
    return {name: table for name, table in _OPTIMIZERS.items() if names is None or name in names}


class LazyAdam(legacy.Adam):
    """Adam that leaves rows alone that are in no batch, as TensorFlow Addons has it."""

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        beta_1, beta_2 = (self._get_hyper(name, var.dtype) for name in ("beta_1", "beta_2"))
        new_m = beta_1 * tf.gather(m, indices) + (1 - beta_1) * grad
        new_v = beta_2 * tf.gather(v, indices) + (1 - beta_2) * tf.square(grad)
        step = self._get_hyper("learning_rate", var.dtype) * new_m / (tf.sqrt(new_v) + 1e-7)
        return tf.group(self._resource_scatter_update(m, indices, new_m),
                        self._resource_scatter_update(v, indices, new_v),
                        self._resource_scatter_add(var, indices, -step))


class DecayingAdam(legacy.Adam):
    """Adam that makes all weights a little smaller at each step."""

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        with tf.control_dependencies([var.assign_sub(1e-3 * var)]):
            return super()._resource_apply_sparse(grad, var, indices, apply_state)


_OPTIMIZERS = {
    "v1_adagrad": Table(lambda: v1.train.AdagradOptimizer(0.1)),
    "v1_adagrad_references": Table(lambda: v1.train.AdagradOptimizer(0.1), references=True),
    "v1_adagrad_parts": Table(lambda: v1.train.AdagradOptimizer(0.1), partitions=3),
    "v1_ftrl": Table(lambda: v1.train.FtrlOptimizer(0.1)),
    "v1_ftrl_l1": Table(lambda: v1.train.FtrlOptimizer(0.1, l1_regularization_strength=0.1)),
    "v1_ftrl_references": Table(lambda: v1.train.FtrlOptimizer(0.1), references=True),
    "v1_adagrad_da": Table(lambda: v1.train.AdagradDAOptimizer(0.1, v1.train.get_global_step())),
    "v1_proximal": Table(lambda: v1.train.ProximalAdagradOptimizer(0.1)),
    "v1_adam": Table(lambda: v1.train.AdamOptimizer(0.01)),
    "v1_adam_references": Table(lambda: v1.train.AdamOptimizer(0.01), references=True),
    "v1_rmsprop": Table(lambda: v1.train.RMSPropOptimizer(0.01)),
    "v1_rmsprop_centered": Table(lambda: v1.train.RMSPropOptimizer(0.01, momentum=0.5, centered=True)),
    "v1_momentum": Table(lambda: v1.train.MomentumOptimizer(0.01, 0.9)),
    "v1_adadelta": Table(lambda: v1.train.AdadeltaOptimizer(1.0)),
    "adagrad": Table(lambda: legacy.Adagrad(0.1)),
    "ftrl": Table(lambda: legacy.Ftrl(0.1)),
    "ftrl_shrinkage": Table(lambda: legacy.Ftrl(0.1, l2_shrinkage_regularization_strength=0.1)),
    "adam": Table(lambda: legacy.Adam(0.01)),
    "amsgrad": Table(lambda: legacy.Adam(0.01, amsgrad=True)),
    "adamax": Table(lambda: legacy.Adamax(0.01)),
    "nadam": Table(lambda: legacy.Nadam(0.01)),
    "rmsprop": Table(lambda: legacy.RMSprop(0.01)),
    "rmsprop_centered": Table(lambda: legacy.RMSprop(0.01, momentum=0.5, centered=True)),
    "adadelta": Table(lambda: legacy.Adadelta(1.0)),
    "momentum": Table(lambda: legacy.SGD(0.01, momentum=0.9)),
    "nesterov": Table(lambda: legacy.SGD(0.01, momentum=0.9, nesterov=True)),
}
