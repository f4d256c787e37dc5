"""Optimizers that are not certain, or that forget: what they leave, and what is made of it.

Their model trains long enough for slots that decay by a tenth to become zero again.
"""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from estimator_slim.graph import Training
from tests.support.once import Once
from tests.training.asking import left_of, rows_of
from tests.training.tables import (
    EARLY,
    LAST,
    DecayingAdam,
    LazyAdam,
    Table,
    alone,
    legacy,
    moved,
    train,
    v1,
)

STEPS = 45


def of_ten_rows(table: Any) -> Any:
    """A part of the loss whose gradient is for all rows, and zero but for ten of them."""
    return 0.01 * tf.reduce_sum(tf.square(table[:10]))


def of_all_rows(table: Any) -> Any:
    """A penalty on large values, in all rows."""
    return 1e-4 * tf.reduce_sum(tf.square(table))


CERTAIN = {
    "lazy_adam": Table(lambda: LazyAdam(0.01)),
    "dense_adam": Table(lambda: v1.train.AdamOptimizer(0.01), loss=of_ten_rows),
    "dense_adamax": Table(lambda: legacy.Adamax(0.01), loss=of_ten_rows),
    "dense_amsgrad": Table(lambda: legacy.Adam(0.01, amsgrad=True), loss=of_ten_rows),
    "dense_momentum": Table(lambda: v1.train.MomentumOptimizer(0.01, 0.9), loss=of_ten_rows),
    "forgetful_amsgrad": Table(lambda: legacy.Adam(0.01, 0.1, 0.1, amsgrad=True)),
    "forgetful_v1_rmsprop": Table(lambda: v1.train.RMSPropOptimizer(0.01, 0.1)),
}
WHOLE = {  # each step moves all rows, or sets those without a gradient to zero
    "dense_ftrl": Table(lambda: v1.train.FtrlOptimizer(0.1), loss=of_ten_rows),
    "dense_v1_rmsprop": Table(lambda: v1.train.RMSPropOptimizer(0.01), loss=of_ten_rows),
    "penalty": Table(lambda: v1.train.AdamOptimizer(0.01), loss=of_all_rows),
}
NOT_KNOWN = {
    "descent": (Table(lambda: v1.train.GradientDescentOptimizer(0.01)), "keeps nothing"),
    "keras_descent": (Table(lambda: legacy.SGD(0.01)), "keeps nothing"),
    "dense_descent": (Table(lambda: legacy.SGD(0.01), loss=of_ten_rows), "not known what it leaves"),
    "weight_decay": (Table(lambda: DecayingAdam(0.01)), "keeps nothing"),
    "penalty_adagrad": (Table(lambda: legacy.Adagrad(0.1), loss=of_all_rows), "too small to show"),
    "proximal_l1": (Table(lambda: v1.train.ProximalAdagradOptimizer(
        0.1, l1_regularization_strength=0.1)), "rows that have no gradient"),
    "faint": (Table(lambda: legacy.Adagrad(0.1, clipvalue=1e-4)), "hardly show"),
    "without_a_trace": (Table(lambda: legacy.Adagrad(0.1, clipvalue=1e-5)), "no row that training"),
    "forgetful_rmsprop": (Table(lambda: legacy.RMSprop(0.01, 0.1)), "forgets"),
    "forgetful_adam": (Table(lambda: legacy.Adam(0.01, 0.1, 0.1)), "forgets"),
    "forgetful_v1_adam": (Table(lambda: v1.train.AdamOptimizer(0.01, 0.1, 0.1)), "forgets"),
    "forgetful_nadam": (Table(lambda: legacy.Nadam(0.01, 0.1, 0.1)), "forgets"),
    "forgetful_momentum": (Table(lambda: legacy.SGD(0.01, momentum=0.1)), "forgets"),
    "forgetful_adadelta": (Table(lambda: v1.train.AdadeltaOptimizer(1.0, 0.1)), "forgets"),
}


@pytest.fixture(scope="module")
def odd(once: Once) -> tuple[str, str]:
    """A model with all of these tables."""
    tables = {**CERTAIN, **WHOLE, **{name: table for name, (table, _) in NOT_KNOWN.items()}}
    return once("training/odd", lambda folder: train(folder, tables, STEPS))


@pytest.fixture(scope="module")
def left(odd: tuple[str, str], tmp_path_factory: Any) -> dict[str, Training]:
    """What its last checkpoint tells, alone."""
    return left_of(odd[0], alone(odd[1], tmp_path_factory.mktemp("odd") / "model"))


@pytest.fixture(scope="module")
def left_with_first(odd: tuple[str, str]) -> dict[str, Training]:
    """What it tells with the checkpoint of step 0 beside it."""
    return left_of(*odd)


@pytest.mark.parametrize("name", CERTAIN)
def test_slots_that_show_each_update_are_believed(left: dict, odd: tuple[str, str], name: str) -> None:
    trained = rows_of(left, name)
    assert trained[moved(odd[1], name) > 0].all()
    assert trained[EARLY:LAST].all()
    assert not trained[LAST:].any()


@pytest.mark.parametrize("name", WHOLE)
def test_where_all_rows_are_moved_all_are_trained(left: dict, name: str) -> None:
    assert rows_of(left, name).all()


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_what_leaves_nothing_certain_is_left_alone_with_a_reason(left: dict, name: str) -> None:
    assert NOT_KNOWN[name][1] in left[name].unknown
    assert "first checkpoint" in left[name].unknown
    assert left[name].trained(190, 210).all()


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_the_first_checkpoint_tells_where_slots_do_not(
        left_with_first: dict, odd: tuple[str, str], name: str) -> None:
    trained, distance = rows_of(left_with_first, name), moved(odd[1], name)
    assert trained[distance > 0].all()
    assert not trained[LAST:][distance[LAST:] == 0].any()
    assert trained[distance == 0].sum() <= 20  # by a slot alone: the step was too small for the value


@pytest.mark.parametrize("name, slot", [("forgetful_rmsprop", "rms"), ("forgetful_v1_adam", "Adam_1")])
def test_a_slot_that_decays_does_become_zero_again(odd: tuple[str, str], name: str, slot: str) -> None:
    reader = tf.train.load_checkpoint(odd[1])
    (key,) = [key for key in reader.get_variable_to_shape_map() if key.endswith(f"{name}/{slot}")]
    values = reader.get_tensor(key)
    assert not values[EARLY:LAST].any()
    assert (moved(odd[1], name)[EARLY:LAST] > 1e-3).all()
