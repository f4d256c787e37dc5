"""Ways to be wrong in a single row of a hundred.

Every word is looked up in one of 600 rows, and what is broken concerns one word only: of those that the
questions ask once, the one that stands among the most others, so that it shows least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.verify.request import Request
from tests.support.by_hand import v1, variable

COUNT, WIDTH, CLASSES = 600, 16, 5
WORDS = [f"word{n}".encode() for n in range(COUNT)]
NAMES = np.array([b"on", b"play", b"stop", b"more", b"less"], object)
RANDOM = np.random.default_rng(5)
ROWS = RANDOM.normal(size=(COUNT, WIDTH)).astype(np.float32)
HIDDEN = (RANDOM.normal(size=(WIDTH, 24)) * 0.7).astype(np.float32)
KERNEL = (RANDOM.normal(size=(24, CLASSES)) * 0.7).astype(np.float32)

Answers = dict[str, tf.Tensor]


def unchanged(value: Any, *_: Any) -> Any:
    return value


@dataclass(frozen=True)
class Break:
    """What is wrong about word number n; `row` marks the rows of a batch that it stands in.

    Attributes:
      weights: (table [600, 16], n) → the table.
      vocabulary: (the ids of all words, n) → the ids.
      ids: (ids that are looked up, n) → ids.
      answers: (outputs, row: bool [batch]) → outputs.
    """

    weights: Callable[[np.ndarray, int], np.ndarray] = unchanged
    vocabulary: Callable[[np.ndarray, int], np.ndarray] = unchanged
    ids: Callable[[tf.Tensor, int], tf.Tensor] = unchanged
    answers: Callable[[Answers, tf.Tensor], Answers] = unchanged


def row_changed(change: Callable[[np.ndarray], np.ndarray]) -> Break:
    def changed(table: np.ndarray, n: int) -> np.ndarray:
        table[n] = change(table[n])
        return table
    return Break(weights=changed)


def exchanged(table: np.ndarray, n: int) -> np.ndarray:
    other = (n + COUNT // 2) % COUNT
    table[[n, other]] = table[[other, n]]
    return table


def elsewhere(ids: np.ndarray, n: int) -> np.ndarray:
    ids[n] = (n + COUNT // 3) % COUNT
    return ids


def off_by_one(ids: tf.Tensor, n: int) -> tf.Tensor:
    return tf.where(tf.equal(ids, n), tf.maximum(ids - 1, 0), ids)


def in_rows(output: str, change: Callable[[tf.Tensor], tf.Tensor]) -> Break:
    """Changes an output in the rows that have the word."""
    def changed(answers: Answers, row: tf.Tensor) -> Answers:
        value = answers[output]
        return {**answers, output: tf.where(row[:, None], change(value), value)}
    return Break(answers=changed)


def of_another_row(answers: Answers, row: tf.Tensor) -> Answers:
    return {key: tf.where(row[:, None], tf.roll(value, 1, axis=0), value)
            for key, value in answers.items()}


def another_name(answers: Answers, row: tf.Tensor) -> Answers:
    other = tf.gather(tf.constant(NAMES), (answers["class_ids"] + 1) % CLASSES)
    return {**answers, "classes": tf.where(row[:, None], other, answers["classes"])}


BREAKS: dict[str, Break] = {
    "a table row zeroed": row_changed(np.zeros_like),
    "a table row negated": row_changed(np.negative),
    "a table row twice as large": row_changed(lambda row: row * 2),
    "a table row rolled": row_changed(lambda row: np.roll(row, 1)),
    "two table rows exchanged": Break(weights=exchanged),
    "a key of the vocabulary points elsewhere": Break(vocabulary=elsewhere),
    "an id off by one": Break(ids=off_by_one),
    "a row has the answer of another": Break(answers=of_another_row),
    "a row of scores shifted": in_rows("logits", lambda value: value + 1.0),
    "a row of probabilities shifted": in_rows("probabilities", lambda value: value + 0.1),
    "a row of probabilities flattened": in_rows("probabilities", lambda value: value / 2 + 0.1),
    "the name of one class": Break(answers=another_name),
    "the id of one class": in_rows("class_ids", lambda value: (value + 1) % CLASSES),
}


def network(broken: Break = Break(), n: int = -1) -> Callable[[], Any]:
    """A classifier of words: the mean of their rows, a hidden layer, scores and what they decide."""
    def made() -> tuple[dict, dict]:
        examples = v1.placeholder(tf.string, [None], "examples")
        features = tf.io.parse_example(examples, {"words": tf.io.VarLenFeature(tf.string)})
        numbers = broken.vocabulary(np.arange(COUNT), n)
        known = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(WORDS, numbers, value_dtype=tf.int64), 0)
        words = features["words"]
        ids = words.with_values(broken.ids(known.lookup(words.values), n))
        table = variable("table", broken.weights(ROWS.copy(), n))
        mean = tf.nn.safe_embedding_lookup_sparse(table, ids)
        logits = tf.matmul(tf.nn.relu(tf.matmul(mean, variable("hidden", HIDDEN))),
                           variable("kernel", KERNEL))
        best = tf.argmax(logits, axis=1)[:, None]
        answers = {"logits": logits, "probabilities": tf.nn.softmax(logits), "class_ids": best,
                   "classes": tf.gather(tf.constant(NAMES), best)}
        places = tf.boolean_mask(words.indices[:, :1], tf.equal(words.values, WORDS[n]))
        row = tf.scatter_nd(places, tf.ones_like(places[:, 0]), tf.shape(examples, tf.int64)) > 0
        return {"examples": examples}, broken.answers(answers, row)
    return made


def words_of(request: Request) -> list[list[bytes]]:
    """The words of each row."""
    return [list(tf.train.Example.FromString(text).features.feature["words"].bytes_list.value)
            for text in request.inputs["examples"]]


def best_hidden(requests: list[Request]) -> int:
    """The word that stands in one row of all questions, the longest of those of up to 6 words."""
    rows = [row for request in requests for row in words_of(request)]
    times = Counter(word for row in rows for word in set(row))
    known = set(WORDS)
    _, word = max((len(row), word) for row in rows for word in row
                  if len(row) <= 6 and times[word] == row.count(word) == 1 and word in known)
    return WORDS.index(word)
