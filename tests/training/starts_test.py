"""What a table starts from: what holds nothing may go, what somebody put there stays, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.graph import Training
from tests.support.once import Once
from tests.training.asking import left_of, rows_of
from tests.training.tables import DIM, EARLY, LAST, ROWS, Table, alone, train, v1

VECTORS = np.random.default_rng(3).normal(0, 0.3, (ROWS, DIM)).astype(np.float32)


def adam() -> Any:
    return v1.train.AdamOptimizer(0.01)


def vectors(*_: Any, **__: Any) -> Any:
    """An initializer that asks Python for word vectors."""
    return tf.ensure_shape(tf.numpy_function(lambda: VECTORS, [], tf.float32), [ROWS, DIM])


def assigned(table: Any) -> Any:
    """Feeds word vectors to an assignment, as in the init_fn of a Scaffold."""
    fed = v1.placeholder(tf.float32, [ROWS, DIM])
    operation = table.assign(fed)
    return lambda session: session.run(operation, {fed: VECTORS})


def some_assigned(table: Any) -> Any:
    """Puts word vectors into some rows."""
    operation = table.scatter_update(tf.IndexedSlices(tf.constant(VECTORS[300:310]), tf.range(300, 310)))
    return lambda session: session.run(operation)


def loaded(table: Any) -> Any:
    """Puts word vectors there by the table's own initializer; no graph shows it."""
    return lambda session: table.load(VECTORS, session)


GO = {
    "uniform": v1.random_uniform_initializer(-0.3, 0.1),
    "normal": v1.random_normal_initializer(0.1, 0.2),
    "truncated": v1.truncated_normal_initializer(stddev=0.2),
    "v1_scaling": v1.variance_scaling_initializer(),
    "glorot_uniform": tf.keras.initializers.GlorotUniform(1),
    "glorot_normal": tf.keras.initializers.GlorotNormal(1),
    "lecun_normal": tf.keras.initializers.LecunNormal(1),
    "he_uniform": tf.keras.initializers.HeUniform(1),
    "normal_2": tf.keras.initializers.RandomNormal(0.0, 0.1, seed=1),
    "zeros": v1.zeros_initializer(),
    "constant": v1.constant_initializer(0.3),
    "constant_array": v1.constant_initializer(np.full((ROWS, DIM), 0.3)),
}
STAY = {
    "array": (Table(adam, v1.constant_initializer(VECTORS)), "an array in the graph"),
    "python": (Table(adam, vectors), "a Python function"),
    "fed": (Table(adam, init=assigned), "a value that is fed"),
    "some_rows": (Table(adam, init=some_assigned), "ScatterUpdate"),
    "loaded": (Table(adam, init=loaded), "not what its initializer draws"),
    "orthogonal": (Table(adam, v1.orthogonal_initializer()), "an operation Qr"),
    "adam": (Table(adam), "starts from a checkpoint"),  # by warm_start_from
    "from_checkpoint": (Table(adam), "starts from a checkpoint"),
    "parts_from_checkpoint": (Table(adam, partitions=3), "starts from a checkpoint"),
    "never_trained": (Table(None), "training never changes it"),
}
COLUMN = "input_layer/ids_embedding/embedding_weights"  # by ckpt_to_load_from


@pytest.fixture(scope="module")
def left(once: Once, many: tuple[str, str], tmp_path_factory: Any) -> dict[str, Training]:
    """What a checkpoint tells of tables that start from all of these."""
    _, other = many

    def make(folder: Path) -> tuple[str, str]:
        ids = tf.feature_column.categorical_column_with_identity("ids", ROWS)
        column = tf.feature_column.embedding_column(ids, DIM, ckpt_to_load_from=other,
                                                    tensor_name_in_ckpt="adagrad")
        tables = {**{name: Table(adam, start) for name, start in GO.items()},
                  **{name: table for name, (table, _) in STAY.items()}}
        return train(folder, tables, columns=[column], warm_start_from=tf.estimator.WarmStartSettings(
            other, vars_to_warm_start="adam:0$"), before=lambda: v1.train.init_from_checkpoint(
                other, {"ftrl": "from_checkpoint", "v1_adagrad_parts": "parts_from_checkpoint"}))

    servable, prefix = once("training/starts", make)
    return left_of(servable, alone(prefix, tmp_path_factory.mktemp("starts") / "model"))


@pytest.mark.parametrize("name", GO)
def test_rows_that_hold_random_numbers_or_a_constant_may_go(left: dict, name: str) -> None:
    trained = rows_of(left, name)
    assert trained[EARLY:LAST].all()
    assert not trained[LAST:].any()


@pytest.mark.parametrize("name", STAY)
def test_what_somebody_put_there_stays_and_the_reason_is_told(left: dict, name: str) -> None:
    for part in [key for key in left if key == name or key.startswith(f"{name}/")]:
        assert STAY[name][1] in left[part].unknown
        assert left[part].trained(3, 150).all()


def test_a_column_that_loads_a_checkpoint_stays(left: dict) -> None:
    assert "starts from a checkpoint" in left[COLUMN].unknown
