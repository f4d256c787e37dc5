"""Rows that training never touched go: trained words are answered as before, others as if unknown."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import estimator_slim
from estimator_slim import OptimizingExporter, optimize_saved_model
from tests.support.alike import assert_same_answers
from tests.support.ask import ask, session_options
from tests.support.by_hand import bytes_of, reasons, request_ops, slim
from tests.support.models.zoo import examples, inputs, raw_receiver
from tests.support.once import Once

BUCKETS = 30_000
WORDS = [f"word{n}" for n in range(60)]  # the first 40 are trained
TRAINED, OTHERS = WORDS[:40], WORDS[40:]
VOCABULARY = [*WORDS, *(f"rare{n}" for n in range(2000))]
EXACT = "strip_unused_nodes fold_constants simplify_lookups drop_untrained_rows"


@dataclass
class Made:
    """An export, and the model_dir with the checkpoint that it was made from."""

    export: str
    model_dir: str


def hashed() -> Any:
    return tf.feature_column.categorical_column_with_hash_bucket("words", BUCKETS)


def listed(folder: Path, **options: Any) -> Any:
    path = folder / "words.txt"
    path.write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return tf.feature_column.categorical_column_with_vocabulary_file("words", str(path), **options)


def batch() -> dict:
    """Ten texts of four words."""
    return {"words": np.array(TRAINED).reshape(10, 4)}


def config(folder: Path) -> Any:
    return tf.estimator.RunConfig(str(folder / "model"), tf_random_seed=3, log_step_count_steps=None,
                                  save_summary_steps=1000, session_config=session_options())


LABELS = np.arange(10).reshape(10, 1) % 3


def make(folder: Path, column: Any) -> Made:
    """Trains a classifier of three classes on ten texts of four words each, and exports it."""
    columns = [tf.feature_column.embedding_column(column, 16, "mean")]
    estimator = tf.estimator.DNNClassifier([8], columns, n_classes=3, activation_fn=tf.nn.tanh,
                                           config=config(folder))
    estimator.train(inputs(batch(), LABELS), steps=20)
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec(columns))
    export = estimator.export_saved_model(str(folder / "export"), receiver)
    return Made(os.fsdecode(export), str(estimator.model_dir))


@pytest.fixture(scope="module")
def made(once: Once) -> Made:
    return once("rows/hashed", lambda folder: make(folder, hashed()))


def logits(directory: str, *texts: list[str]) -> np.ndarray:
    found = ask(directory, [examples(*({"words": text} for text in texts))])["predict", 0]
    return np.asarray(found["logits"])


def test_trained_words_are_answered_as_before_and_the_others_add_zeros(made: Made) -> None:
    path, report = slim(made.export, EXACT, checkpoint=made.model_dir)
    touched = {int(tf.strings.to_hash_bucket_fast(word, BUCKETS)) for word in TRAINED}
    (treated,) = report.steps[-1].treated
    assert treated.rows == len(touched)
    assert bytes_of(path) < bytes_of(made.export) / 20
    assert_same_answers(path, made.export, examples({"words": TRAINED[:3]}, {"words": TRAINED}, {}))
    asked = TRAINED[:1], [TRAINED[0], OTHERS[0]], OTHERS[:1]
    alone, mixed, none = (logits(path, text) for text in asked)
    assert not np.array_equal(alone, mixed)
    np.testing.assert_array_equal(none, logits(path, OTHERS[1:2]))
    assert not np.array_equal(logits(made.export, OTHERS[:1]), logits(made.export, OTHERS[1:2]))


@pytest.mark.parametrize("fill", ["zero", "keep_oov"])
@pytest.mark.parametrize("options", [{"num_oov_buckets": 3}, {}], ids=str)
def test_a_word_of_a_vocabulary_that_was_never_trained(once: Once, fill: str, options: dict) -> None:
    source = once(f"rows/{options}", lambda folder: make(folder, listed(folder, **options)))
    path, report = slim(source.export, f"{EXACT}(fill={fill})", checkpoint=source.model_dir)
    assert len(report.steps[-1].treated) == 1, reasons(report)
    assert_same_answers(path, source.export, examples({"words": TRAINED[:3]}, {"words": TRAINED}, {}),
                        examples({"words": ["ünknown", *TRAINED[:1]]}, {"words": ["nowhere"]})
                        if "num_oov_buckets" not in options else examples({}))
    answered = logits(path, [TRAINED[0], OTHERS[0]], [TRAINED[0], "nowhere"], TRAINED[:1])
    if fill == "keep_oov" and "num_oov_buckets" not in options:
        np.testing.assert_array_equal(answered[0], answered[1])  # left out of the mean, as before
        np.testing.assert_array_equal(answered[0], answered[2])
    else:
        assert not np.array_equal(answered[0], answered[2])


def test_without_a_checkpoint_all_rows_stay_and_the_report_says_what_to_give(made: Made) -> None:
    path, report = slim(made.export, EXACT)
    assert request_ops(path)["LowerBound"] == 0
    assert "checkpoint=..." in reasons(report)
    assert_same_answers(path, made.export, examples({"words": WORDS}))


def test_tables_of_which_many_rows_were_trained_stay(tmp_path: Path) -> None:
    few = tf.feature_column.categorical_column_with_hash_bucket("words", 45)
    source = make(tmp_path, few)
    path, report = slim(source.export, EXACT, checkpoint=source.model_dir)
    assert request_ops(path)["LowerBound"] == 0
    assert "not worth the index" in reasons(report)


@pytest.mark.parametrize("kind", ["loop", "branch"])
def test_a_table_that_a_loop_or_a_branch_reads_stays_and_the_report_says_why(
        tmp_path: Path, kind: str) -> None:
    def model_fn(features: Any, labels: Any, mode: str) -> Any:
        ids, table = features["ids"], tf.compat.v1.get_variable("table", [2000, 4])
        if kind == "branch":
            found = tf.cond(tf.size(ids) > 2, lambda: tf.gather(table, ids),
                            lambda: -tf.gather(table, ids))
        else:
            kernel = tf.compat.v1.get_variable("kernel", [4, 4])
            found = tf.map_fn(lambda one: tf.gather(table, one) @ kernel, ids,
                              fn_output_signature=tf.float32)
        scores = tf.reshape(found, [-1, 4])
        if mode == tf.estimator.ModeKeys.PREDICT:
            return tf.estimator.EstimatorSpec(mode, predictions={"scores": scores}, export_outputs={
                "serving_default": tf.estimator.export.PredictOutput({"scores": scores})})
        loss = tf.compat.v1.losses.sparse_softmax_cross_entropy(labels, scores)
        step = tf.compat.v1.train.AdagradOptimizer(0.1).minimize(
            loss, tf.compat.v1.train.get_global_step())
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=step)

    estimator = tf.estimator.Estimator(model_fn, config=config(tmp_path))
    ids = np.arange(8).reshape(-1, 1)
    estimator.train(inputs({"ids": ids}, ids % 4), steps=1)
    export = os.fsdecode(estimator.export_saved_model(
        str(tmp_path / "export"), raw_receiver(ids=(tf.int64, [None, 1]))))
    path, report = slim(export, "drop_untrained_rows", checkpoint=estimator.model_dir)
    assert reasons(report) == "table: a loop, a branch or a function reads it by its handle"
    assert_same_answers(path, export, {"ids": ids}, {"ids": ids[:1] + 1999})


def test_an_exporter_drops_by_the_checkpoint_that_it_exports(tmp_path: Path) -> None:
    columns = [tf.feature_column.embedding_column(hashed(), 16)]
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec(columns))
    exporter = OptimizingExporter(tf.estimator.LatestExporter("latest", receiver),
                                  f"{EXACT} quantize_weights", verify="enforce", on_error="raise",
                                  verify_input_fn=inputs(batch(), LABELS))
    estimator = tf.estimator.DNNClassifier([8], columns, n_classes=3, config=config(tmp_path))
    tf.estimator.train_and_evaluate(
        estimator, tf.estimator.TrainSpec(inputs(batch(), LABELS), max_steps=4),
        tf.estimator.EvalSpec(inputs(batch(), LABELS), steps=1, exporters=exporter, start_delay_secs=0,
                              throttle_secs=0))
    (original,) = (tmp_path / "model/export/latest").iterdir()
    assert bytes_of(f"{original.parent}-slim/{original.name}") < bytes_of(str(original)) / 20


# ---- what verification makes of it


def test_answers_that_hang_on_dropped_rows_are_set_apart_and_the_others_are_held_to_the_bounds(
        made: Made) -> None:
    asked = inputs({"words": np.array(WORDS).reshape(15, 4)}, np.zeros((15, 1)))
    _, report = slim(made.export, f"{EXACT} quantize_weights", checkpoint=made.model_dir,
                     verify="enforce", verify_input_fn=asked)
    found = report.verification
    assert found is not None and found.passed and found.apart is not None
    scores = next(one for one in found.outputs if one.output == "logits")
    assert scores.examples is not None
    assert 3 * scores.examples.rows == 2 * found.examples  # 10 of 15 texts are of trained words
    assert found.apart.rows >= found.examples / 3
    assert "hang on rows that were never trained" in str(found)


@pytest.mark.parametrize("unknown", [pytest.param(0, marks=pytest.mark.long), 3])
def test_words_that_are_answered_like_a_trained_word_are_set_apart_too(
        tmp_path: Path, unknown: int) -> None:
    """The vocabulary answers for unknown words as for one of its own, which was trained."""
    source = make(tmp_path, listed(tmp_path, default_value=unknown))
    asked = inputs({"words": np.array(WORDS).reshape(15, 4)}, np.zeros((15, 1)))
    path, report = slim(source.export, f"{EXACT}(fill=keep_oov)", checkpoint=source.model_dir,
                        verify="enforce", fallback=False, verify_input_fn=asked)
    found = report.verification
    assert found is not None and found.apart is not None
    assert found.apart.rows >= found.examples / 3  # 5 of 15 texts are of words that were not trained
    new, known = logits(path, OTHERS[:1], [WORDS[unknown]])
    np.testing.assert_array_equal(new, known)


def test_made_up_questions_are_made_of_words_that_were_trained(made: Made) -> None:
    _, report = slim(made.export, EXACT, checkpoint=made.model_dir, verify="require")
    assert report.verification is not None
    assert min(one.rows for one in report.verification.outputs if one.output == "logits") >= 20


def test_rows_that_answers_need_are_no_loss_that_is_let_pass(tmp_path: Path) -> None:
    """A person vouches for a table that holds knowledge: its rows go, the right answers with them."""
    known = np.random.default_rng(1).normal(size=(3, 16)).astype(np.float32) * 5

    def model_fn(features: Any, labels: Any, mode: str) -> Any:
        rows = np.repeat(known, BUCKETS // 3, axis=0)
        table = tf.compat.v1.get_variable("table", initializer=lambda: tf.constant(rows))
        kernel = tf.compat.v1.get_variable("kernel", initializer=lambda: tf.constant(known.T))
        scores = tf.gather(table, features["ids"][:, 0]) @ kernel
        if mode == tf.estimator.ModeKeys.PREDICT:
            return tf.estimator.EstimatorSpec(mode, predictions={"scores": scores}, export_outputs={
                "serving_default": tf.estimator.export.PredictOutput({"scores": scores})})
        loss = tf.compat.v1.losses.sparse_softmax_cross_entropy(labels, scores)
        step = tf.compat.v1.train.AdagradOptimizer(1e-3).minimize(
            loss, tf.compat.v1.train.get_global_step())
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=step)

    def questions(ids: np.ndarray) -> Callable:
        return inputs({"ids": ids.reshape(-1, 1)}, ids.reshape(-1, 1) // (BUCKETS // 3))

    estimator = tf.estimator.Estimator(model_fn, config=config(tmp_path))
    estimator.train(questions(np.arange(0, BUCKETS, 1000)), steps=2)
    export = estimator.export_saved_model(
        str(tmp_path / "export"), raw_receiver(ids=(tf.int64, [None, 1])))
    all_of = "drop_untrained_rows(random=table)"
    with pytest.raises(estimator_slim.VerificationError, match="right in .* labelled answers instead"):
        optimize_saved_model(export, tmp_path / "slim/1", all_of, checkpoint=estimator.model_dir,
                             verify="enforce", fallback=False,
                             verify_input_fn=questions(np.arange(7, BUCKETS, 100)))
    _, report = slim(os.fsdecode(export), "drop_untrained_rows", checkpoint=estimator.model_dir)
    assert "table" in reasons(report)
