"""reduce_rank on the lookups that Estimators make: which tables become narrow, and that answers stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Report
from tests.support.ask import ask, session_options
from tests.support.by_hand import reasons, slim, v1
from tests.support.models.zoo import examples

ROWS, WIDTH, RANK = 600, 16, 3
LIST = ("strip_unused_nodes remove_nodes(op=Identity) fold_constants simplify_lookups "
        "reduce_rank(energy=0.99999)")
column = tf.feature_column
REQUEST = examples(*(
    {"words": words, "more": words[::-1], "weights": [0.5 + n for n in range(len(words))]}
    for words in (["a", "b", "c"], ["d"], ["e", "f"], ["g", "a"])))


def low_rank(shape: Any, dtype: Any = tf.float32, partition_info: Any = None) -> Any:
    """Rows that are sums of three directions, the same ones for all tables."""
    directions = np.random.default_rng(1).normal(size=(RANK, WIDTH))
    return tf.constant(np.random.default_rng(2).normal(size=(shape[0], RANK)) @ directions, dtype)


def weighted(combiner: str) -> Any:
    words = column.categorical_column_with_hash_bucket("words", ROWS)
    return column.embedding_column(column.weighted_categorical_column(words, "weights"), WIDTH, combiner,
                                   low_rank)


def words_in_order() -> Any:
    words = column.sequence_categorical_column_with_hash_bucket("words", ROWS)
    return column.embedding_column(words, WIDTH, initializer=low_rank)


def shared() -> list[Any]:
    words = [column.categorical_column_with_hash_bucket(key, ROWS) for key in ("words", "more")]
    return column.shared_embeddings(words, WIDTH, initializer=low_rank)


def rows_of(parts: int | None = None) -> Callable[[Any], Any]:
    """Looks words up in a table, or in one of several parts: [batch, n, width]."""
    def look_up(features: Any) -> Any:
        split = v1.fixed_size_partitioner(parts) if parts else None
        table = v1.get_variable("table", [ROWS, WIDTH], initializer=low_rank, partitioner=split,
                                use_resource=True)
        return v1.nn.embedding_lookup(table, hashed(features), partition_strategy="div")
    return look_up


def hashed(features: Any) -> Any:
    return tf.strings.to_hash_bucket_fast(tf.sparse.to_dense(features["words"], ""), ROWS)


def in_parts_by_turns(features: Any) -> Any:
    parts = [v1.get_variable(f"table{n}", [ROWS // 3, WIDTH], initializer=low_rank) for n in range(3)]
    return tf.reduce_sum(v1.nn.embedding_lookup(parts, hashed(features), partition_strategy="mod"), 1)


def in_a_function(features: Any) -> Any:
    table = v1.get_variable("table", [ROWS, WIDTH], initializer=low_rank, use_resource=True)
    return tf.function(lambda ids: tf.reduce_mean(tf.gather(table, ids), 1))(hashed(features))


def ordered(after: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    return lambda features: after(*tf.keras.experimental.SequenceFeatures([words_in_order()])(features))


def without_padding(rows: Any, lengths: Any) -> Any:
    mask = tf.sequence_mask(lengths, tf.shape(rows)[1], tf.float32)[:, :, None]
    return tf.reduce_sum(rows * mask, 1) / tf.cast(lengths, tf.float32)[:, None]


def by_width(features: Any) -> Any:
    """Divided by the number of columns, which stays what it was."""
    rows = rows_of()(features)
    return tf.reduce_sum(rows, 1) / tf.cast(tf.shape(rows)[2], tf.float32)


def one_of_two(features: Any) -> Any:
    rows = tf.reduce_sum(rows_of()(features), 1)
    return tf.where(rows > 0, rows, tf.zeros_like(rows))


def layer_norm(rows: Any) -> Any:
    mean, variance = tf.nn.moments(rows, [-1], keepdims=True)
    return (rows - mean) * tf.math.rsqrt(variance + 1e-3)


NARROW: dict[str, Callable[[Any], Any]] = {
    **{f"weighted_{c}": lambda features, c=c: v1.keras.layers.DenseFeatures([weighted(c)])(features)
       for c in ("sum", "mean", "sqrtn")},
    "shared": lambda features: v1.keras.layers.DenseFeatures(shared())(features),
    "ordered_mean": ordered(lambda rows, lengths: tf.reduce_mean(rows, 1)),
    "ordered_without_padding": ordered(without_padding),
    "ordered_dense": ordered(lambda rows, lengths: tf.reduce_max(v1.layers.dense(rows, 5), 1)),
    "in_parts": lambda features: tf.reduce_sum(rows_of(parts=3)(features), 1),
    "in_parts_by_turns": in_parts_by_turns,
    "in_a_function": in_a_function,
    "by_width": by_width,
}
AS_WIDE: dict[str, Callable[[Any], Any]] = {
    "largest": ordered(lambda rows, lengths: tf.reduce_max(rows, 1)),
    "squares": lambda features: tf.reduce_sum(tf.square(rows_of()(features)), 1),
    "products": lambda features: tf.reduce_prod(rows_of()(features), 1),
    "normalized": lambda features: layer_norm(tf.reduce_sum(rows_of()(features), 1)),
    "with_a_bias": lambda features: tf.reduce_sum(rows_of()(features), 1) + tf.range(WIDTH * 1.0),
    "gated": lambda features: tf.reduce_sum(tf.nn.sigmoid(rows_of()(features)), 1),
    "one_of_two": one_of_two,
}


def model_fn(features: Any, labels: Any, mode: str) -> Any:
    answers = {}
    for name, pooled in {**NARROW, **AS_WIDE}.items():
        with v1.variable_scope(name):
            answers[name] = v1.layers.dense(pooled(features), 24)
    loss = sum(tf.reduce_sum(answer) for answer in answers.values())
    step = v1.train.get_or_create_global_step()
    return tf.estimator.EstimatorSpec(
        mode, answers, loss, v1.assign_add(step, 1),
        export_outputs={"serving_default": tf.estimator.export.PredictOutput(answers)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Report]]:
    """The servable of one Estimator that looks words up in all these ways, and the slim one."""
    folder = tmp_path_factory.mktemp("ways")
    spec = {key: tf.io.VarLenFeature(kind) for key, kind in (
        ("words", tf.string), ("more", tf.string), ("weights", tf.float32))}
    config = tf.estimator.RunConfig(str(folder / "model"), log_step_count_steps=None,
                                    session_config=session_options())
    estimator = tf.estimator.Estimator(model_fn, config=config)
    estimator.train(lambda: tf.data.Dataset.from_tensors(REQUEST).map(
        lambda serialized: (tf.io.parse_example(serialized, spec), 0)), steps=1)
    source = os.fsdecode(estimator.export_saved_model(
        str(folder / "export" / "x"), tf.estimator.export.build_parsing_serving_input_receiver_fn(spec)))
    yield source, *slim(source, LIST)


def treated(report: Report) -> str:
    return "\n".join(one.weight for step in report.steps for one in step.treated if one.rank == RANK)


@pytest.mark.parametrize("way", NARROW)
def test_rows_that_are_only_added_up_and_multiplied_become_narrow(
        made: tuple[str, str, Report], way: str) -> None:
    assert f"{way}/" in treated(made[2]), reasons(made[2])


@pytest.mark.parametrize("way", AS_WIDE)
def test_rows_that_meet_anything_else_stay(made: tuple[str, str, Report], way: str) -> None:
    assert f"{way}/" not in treated(made[2])
    why = "\n".join(line for line in reasons(made[2]).splitlines() if "sums and a kernel" in line)
    assert f"{way}/" in why


def test_all_of_them_answer_as_before(made: tuple[str, str, Report]) -> None:
    source, path, _ = made
    want, got = (ask(one, [REQUEST])["serving_default", 0] for one in (source, path))
    for way in [*NARROW, *AS_WIDE]:
        np.testing.assert_allclose(got[way], want[way], rtol=0, atol=1e-4 * np.abs(want[way]).max(),
                                   err_msg=way)
