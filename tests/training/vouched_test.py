"""A person says that a table started from random numbers, which no .meta tells, or it denies it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.graph import Training
from tests.support.ask import session_options
from tests.support.once import Once
from tests.training.asking import left_of, rows_of
from tests.training.tables import DIM, EARLY, LAST, ROWS, alone, ids_of, legacy, moved, optimizers, v1

SUMS = ["v1_adagrad", "v1_adagrad_references", "adagrad", "v1_ftrl", "v1_ftrl_l1", "v1_ftrl_references",
        "ftrl", "ftrl_shrinkage"]


@pytest.fixture(scope="module")
def left(many: tuple[str, str], tmp_path_factory: Any) -> dict[str, Training]:
    """What a checkpoint without .meta tells of tables that a person vouches for."""
    servable, prefix = many
    prefix = alone(prefix, tmp_path_factory.mktemp("vouched") / "model")
    Path(f"{prefix}.meta").unlink()
    return left_of(servable, prefix, random=list(optimizers()))


@pytest.mark.parametrize("name", SUMS)
def test_sums_tell_without_a_meta_graph(left: dict, many: tuple[str, str], name: str) -> None:
    trained = rows_of(left, name)
    assert not trained[LAST:].any()
    assert (trained[:LAST] == (moved(many[1], name)[:LAST] > 0)).mean() > 0.97


@pytest.mark.parametrize("name", [name for name in optimizers() if name not in SUMS])
def test_other_slots_tell_nothing_without_one(left: dict, name: str) -> None:
    for part in [key for key in left if key == name or key.startswith(f"{name}/")]:
        assert "the training checkpoint" in left[part].unknown or ".meta" in left[part].unknown


@pytest.fixture(scope="module")
def keras(once: Once) -> tuple[str, str]:
    """A Keras model that became an Estimator: it starts from a checkpoint that Keras wrote."""
    def make(folder: Path) -> tuple[str, str]:
        model = tf.keras.Sequential([
            tf.keras.layers.Embedding(ROWS, DIM, input_length=5, name="table"),
            tf.keras.layers.GlobalAveragePooling1D(), tf.keras.layers.Dense(2)])
        model.compile(optimizer=legacy.Ftrl(), loss=tf.keras.losses.SparseCategoricalCrossentropy(True))
        estimator = tf.keras.estimator.model_to_estimator(
            model, model_dir=str(folder / "model"), config=tf.estimator.RunConfig(
                tf_random_seed=1, session_config=session_options()))
        ids = ids_of(3)
        estimator.train(lambda: tf.data.Dataset.from_tensor_slices(
            ({"table_input": ids}, ids.sum(2) % 2)))

        def serving() -> Any:
            fed = {"table_input": v1.placeholder(tf.float32, [None, 5])}
            return tf.estimator.export.ServingInputReceiver(fed, fed)
        servable = estimator.export_saved_model(str(folder / "export"), serving).decode()
        return servable, str(folder / "model" / "model.ckpt-3")
    return once("training/keras", make)


def test_a_keras_model_stays_until_a_person_vouches_for_it(keras: tuple[str, str]) -> None:
    assert "starts from a checkpoint" in left_of(*keras)["table/embeddings"].unknown
    left = left_of(*keras, random=["table/embeddings"])["table/embeddings"]
    touched = np.isin(np.arange(ROWS), ids_of(3))
    assert (left.unknown, left.importance is not None) == ("", True)
    np.testing.assert_array_equal(left.trained(0, ROWS), touched)
    assert touched[EARLY:LAST].all()


def test_the_key_in_the_checkpoint_is_a_name_too_and_needs_no_meta_graph(
        keras: tuple[str, str], tmp_path: Path) -> None:
    prefix = alone(keras[1], tmp_path / "model")
    Path(f"{prefix}.meta").unlink()
    key = "layer_with_weights-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE"
    left = left_of(keras[0], prefix, random=[key])["table/embeddings"]
    assert left.unknown == ""
    assert not left.trained(LAST, ROWS).any()
