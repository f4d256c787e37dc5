"""Outputs without scores are judged by what they are made from: right ones pass, wrong ones do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Verification
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import allowed_by, transform_list
from estimator_slim.verify.answers.asking import Heard, Job, ask_here
from estimator_slim.verify.comparison.judging import compare, fixed_outputs
from estimator_slim.verify.request import Request
from tests.support.by_hand import servable, slim, v1, variable

USERS, ITEMS, WIDTH, LABELS = 600, 400, 16, 8
RANDOM = np.random.default_rng(3)
WEIGHTS: dict[str, Any] = {
    "users": RANDOM.normal(size=(USERS, WIDTH)).astype(np.float32),
    "items": RANDOM.normal(size=(ITEMS, WIDTH)).astype(np.float32),
    "kernel": RANDOM.normal(size=(WIDTH, LABELS)).astype(np.float32),
    "then": RANDOM.normal(size=(LABELS, LABELS)).astype(np.float32) * 3,
    "titles": np.array([f"title {number}".encode() for number in range(ITEMS)], object),
    "labels": np.array([f"label {number}".encode() for number in range(LABELS)], object),
    "threshold": np.float32(0.5), "boundaries": [-4.0, -1.0, 1.0, 4.0], "precision": 2,
    "words": "{} of ten", "first": 100, "step": np.float32(0.5),
    "prices": RANDOM.uniform(1, 100, size=(ITEMS, 1)).astype(np.float32)}
Weights = dict[str, Any]
REQUESTS = [Request("serving_default", {"user": np.arange(start, start + 100)}, "asked")
            for start in range(0, USERS, 100)]


def users(weights: Weights) -> tuple[Any, Any]:
    user = v1.placeholder(tf.int64, [None], "user")
    return user, tf.gather(variable("users", weights["users"]), user)


def logits(weights: Weights) -> tuple[Any, Any]:
    user, rows = users(weights)
    return user, tf.matmul(rows, variable("kernel", weights["kernel"]))


def best_titles(weights: Weights) -> Any:
    user, rows = users(weights)
    scores = tf.matmul(rows, variable("items", weights["items"]), transpose_b=True)
    return user, tf.gather(tf.constant(weights["titles"]), tf.math.top_k(scores, 5).indices)


def best_of_those_asked(weights: Weights) -> Any:
    """Ids that the request brings, the best first."""
    user, scores = logits(weights)
    asked = tf.range(weights["first"], weights["first"] + LABELS) + tf.cast(user[:, None], tf.int32)
    return user, tf.gather(asked, tf.math.top_k(scores, 3).indices, batch_dims=1)


def nearest_title(weights: Weights) -> Any:
    user, rows = users(weights)
    items = variable("items", weights["items"])
    distances = tf.reduce_sum(tf.square(rows[:, None] - items), -1)
    return user, tf.gather(tf.constant(weights["titles"]), tf.argmin(distances, 1))


def label_of_a_table(weights: Weights) -> Any:
    user, scores = logits(weights)
    entries = tf.lookup.KeyValueTensorInitializer(tf.range(LABELS, dtype=tf.int64),
                                                  tf.constant(weights["labels"]))
    return user, tf.lookup.StaticHashTable(entries, "none").lookup(tf.argmax(scores, 1))


def all_labels_above(weights: Weights) -> Any:
    user, scores = logits(weights)
    return user, tf.sigmoid(scores) > weights["threshold"]


def number_of_labels_above(weights: Weights) -> Any:
    user, above = all_labels_above(weights)
    return user, tf.reduce_sum(tf.cast(above, tf.int64), 1)


def bucket_of_a_score(weights: Weights) -> Any:
    user, scores = logits(weights)
    buckets = tf.searchsorted(tf.constant(weights["boundaries"]), scores[:, 0])
    return user, tf.gather(tf.constant(weights["labels"]), buckets)


def printed(weights: Weights) -> Any:
    user, scores = logits(weights)
    return user, tf.strings.as_string(scores, precision=weights["precision"])


def told(weights: Weights) -> Any:
    """One sentence for each row, with two numbers in it."""
    user, scores = logits(weights)
    texts = tf.strings.as_string(scores, precision=weights["precision"])
    return user, tf.strings.join(["first ", texts[:, 0], ", then ", texts[:, 1]])


def told_of_all(weights: Weights) -> Any:
    user, scores = logits(weights)
    return user, tf.strings.format(weights["words"], scores[0, :3])


def rounded(weights: Weights) -> Any:
    user, scores = logits(weights)
    return user, tf.round(scores / 0.5) * weights["step"]


def cut(weights: Weights) -> Any:
    user, scores = logits(weights)
    return user, tf.cast(scores / 0.5, tf.int32)


def two_in_turn(weights: Weights) -> Any:
    """The second choice is made from scores that depend on the first one."""
    user, scores = logits(weights)
    first = tf.argmax(scores, 1)
    second = tf.argmax(scores + tf.gather(variable("then", weights["then"]), first), 1)
    return user, tf.gather(tf.constant(weights["labels"]), tf.stack([first, second], 1))


def price_of_the_best(weights: Weights) -> Any:
    user, rows = users(weights)
    best = tf.argmax(tf.matmul(rows, variable("items", weights["items"]), transpose_b=True), 1)
    return user, tf.gather(variable("prices", weights["prices"]), best)


# ---- and how weights go wrong


def swapped(key: str, one: int, other: int) -> Callable[[Weights], None]:
    def change(weights: Weights) -> None:
        weights[key] = weights[key].copy()
        weights[key][[one, other]] = weights[key][[other, one]]
    return change


def other_value(key: str, value: Any) -> Callable[[Weights], None]:
    return lambda weights: weights.update({key: value})


def another_name(key: str, number: int) -> Callable[[Weights], None]:
    def change(weights: Weights) -> None:
        weights[key] = weights[key].copy()
        weights[key][number] = b"another"
    return change


def one_price(weights: Weights) -> None:
    weights["prices"] = weights["prices"].copy()
    weights["prices"][52] *= 2


def one_user_negated(weights: Weights) -> None:
    weights["users"] = weights["users"].copy()
    weights["users"][71] *= -1


ANOTHER_THRESHOLD = {"threshold": other_value("threshold", np.float32(0.51))}
FORMS: dict[Callable[[Weights], Any], dict[str, Callable[[Weights], None]]] = {
    best_titles: {"items swapped": swapped("items", 52, 119), "one title": another_name("titles", 50),
                  "titles swapped": swapped("titles", 52, 119)},
    best_of_those_asked: {"first id": other_value("first", 101)},
    nearest_title: {"items swapped": swapped("items", 7, 8), "one title": another_name("titles", 7)},
    label_of_a_table: {"one label": another_name("labels", 5),
                       "labels swapped": swapped("labels", 2, 3)},
    all_labels_above: ANOTHER_THRESHOLD,
    number_of_labels_above: ANOTHER_THRESHOLD,
    bucket_of_a_score: {"labels swapped": swapped("labels", 1, 2),
                        "boundaries": other_value("boundaries", [-4.0, -1.0, 1.1, 4.0])},
    printed: {"precision": other_value("precision", 3)},
    told: {"precision": other_value("precision", 1)},
    told_of_all: {"words": other_value("words", "{} of two")},
    rounded: {"steps": other_value("step", np.float32(0.52))},
    cut: {},
    two_in_turn: {"labels swapped": swapped("labels", 2, 3)},
    price_of_the_best: {},
}
EIGHT = "quantize_weights(minimum_size=1)"


class Model:
    """One form of output and what its original answers."""

    def __init__(self, form: Callable[[Weights], Any], folder: Path) -> None:
        self._form, self._folder = form, folder
        self.original = self.exported()
        self.heard = heard(self.original)
        self.slim = self._slim(self.original)

    def _slim(self, source: str) -> Heard:
        return heard(slim(source, EIGHT)[0])

    def exported(self, change: Callable[[Weights], None] | None = None) -> str:
        weights = dict(WEIGHTS)
        if change:
            change(weights)

        def network() -> Any:
            user, output = self._form(weights)
            return {"user": user}, {"output": output}
        return servable(self._folder, network)

    def found(self, change: Callable[[Weights], None] | None = None) -> Verification:
        """What is found of a slim servable of the original, or of what it is after a change."""
        other = self._slim(self.exported(change)) if change else self.slim
        return compare(REQUESTS, self.heard, other, allowed_by(transform_list(EIGHT)),
                       fixed=fixed_outputs(read_servable(self.original).graph))

    def changed(self) -> int:
        """How many values the slim servable answers otherwise."""
        return sum(int(np.sum(want["output"].values != got["output"].values))
                   for want, got in zip(self.heard.answers, self.slim.answers))


def heard(directory: str) -> Heard:
    return ask_here([Job(directory, REQUESTS, grappler=False)])[0]


@pytest.fixture(scope="module")
def model(tmp_path_factory: Any) -> Callable[[Any], Model]:
    made: dict[Any, Model] = {}

    def get(form: Any) -> Model:
        if form not in made:
            made[form] = Model(form, tmp_path_factory.mktemp(form.__name__))
        return made[form]
    return get


def name_of(value: Any) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_what_changes_for_a_reason_passes(model: Any, form: Any) -> None:
    found = model(form).found()
    assert found.passed, found.failures
    assert [output.output for output in found.outputs] == ["output"]
    assert model(form).changed() > 0


@pytest.mark.parametrize("form, wrong", [(form, way) for form in FORMS for way in FORMS[form]],
                         ids=name_of)
def test_what_changes_without_a_reason_does_not(model: Any, form: Any, wrong: str) -> None:
    found = model(form).found(FORMS[form][wrong])
    assert {failure.output for failure in found.failures} == {"output"}
    assert "for which what it is made from gives no reason" in str(found.failures[0])


@pytest.mark.parametrize("form", [form for form in FORMS if form is not told_of_all], ids=name_of)
def test_floats_that_are_not_shown_are_held_to_what_is_allowed(model: Any, form: Any) -> None:
    found = model(form).found(one_user_negated)
    assert {failure.output for failure in found.failures} == {"output"}
    assert "row 71" in str(found.failures[0])


def test_what_belongs_to_the_best_is_held_to_what_is_allowed_where_the_best_is_the_same(
        model: Any) -> None:
    found = model(price_of_the_best).found(one_price)
    assert "is off by" in str(found.failures[0])


def test_of_many_scores_few_are_kept(tmp_path: Path) -> None:
    def network() -> Any:
        user = v1.placeholder(tf.int64, [None], "user")
        scores = tf.cast(user[:, None], tf.float32) * variable("items", np.arange(1e5, dtype=np.float32))
        return {"user": user}, {"best": tf.argmax(scores, 1), "few": tf.math.top_k(scores, 3).indices}
    answer = heard(servable(tmp_path, network)).answers[0]
    assert set(answer) == {"best", "few"}
    kept = [array for output in answer.values() for basis in output.bases
            for array in basis.arrays().values()]
    assert 0 < sum(array.nbytes for array in kept) < 100 * 300
    np.testing.assert_array_equal(answer["best"].bases[0].scores[3], [3 * 99_999, 3 * 99_998])


def test_what_a_loop_makes_is_judged_as_it_is(tmp_path: Path) -> None:
    def network() -> Any:
        user, scores = logits(dict(WEIGHTS))
        turns = tf.while_loop(lambda n, best: n < 2, lambda n, best: (n + 1, tf.argmax(scores, 1)),
                              (0, user))
        return {"user": user}, {"output": turns[1]}
    answer = heard(servable(tmp_path, network)).answers[0]
    assert answer["output"].bases == ()
