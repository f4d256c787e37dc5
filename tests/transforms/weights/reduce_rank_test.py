"""reduce_rank: tables as narrow as what the next layer looks at, and nothing else changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import OptionError
from estimator_slim.transforms import TRANSFORMS
from tests.support.ask import ask, session_options
from tests.support.by_hand import answers, reasons, servable, slim, stored, v1, variable
from tests.support.models.zoo import examples, inputs

ROWS, WIDTH, OUT, RANK = 4_000, 32, 40, 5
IDS = np.random.default_rng(0).integers(0, ROWS, (7, 3))
RNG = np.random.default_rng(1)


def low_rank(rows: int = ROWS, width: int = WIDTH, rank: int = RANK) -> np.ndarray:
    """A table of which every row is a sum of `rank` directions."""
    return (RNG.normal(size=(rows, rank)) @ RNG.normal(size=(rank, width))).astype(np.float32)


def kernel(rows: int = WIDTH, columns: int = OUT) -> np.ndarray:
    return RNG.normal(size=(rows, columns)).astype(np.float32)


def widths(directory: str) -> list[int]:
    """Columns of the stored weights with as many rows as the table."""
    return sorted(value.shape[-1] for value in stored(directory).values() if len(value) == ROWS)


def network(between: Callable[[Any], Any], *, table: np.ndarray | None = None, columns: int = WIDTH,
            **more: Any) -> Callable[[], Any]:
    """ids [batch, 3] → rows [batch, 3, width] → `between` → MatMul."""
    values = low_rank() if table is None else table

    def build() -> Any:
        ids = v1.placeholder(tf.int64, [None, 3], "ids")
        rows = between(tf.gather(variable("table", values), ids))
        return {"ids": ids}, {"scores": rows @ variable("kernel", kernel(columns)), **more}
    return build


BETWEEN = {
    "sum": lambda rows: tf.reduce_sum(rows, 1),
    "mean": lambda rows: tf.reduce_mean(rows, 1),
    "weighted": lambda rows: tf.reduce_sum(rows * tf.constant([[[0.5], [2.0], [-1.0]]]), 1),
    "beside others": lambda rows: tf.concat([v1.placeholder_with_default([[1.0, 2.0]] * 7, [None, 2]),
                                             tf.reduce_sum(rows, 1)], 1),
}


@pytest.mark.parametrize("way", BETWEEN)
def test_a_table_of_few_directions_keeps_its_answers(tmp_path: Path, way: str) -> None:
    columns = WIDTH + 2 * (way == "beside others")
    source = servable(tmp_path, network(BETWEEN[way], columns=columns))
    path, report = slim(source, "reduce_rank(energy=0.999999)", weights="variables")
    assert widths(path) == [RANK], reasons(report)
    (treated,) = report.steps[0].treated
    assert (treated.rank, treated.shape) == (RANK, (ROWS, WIDTH))
    assert len(treated.facts["spectrum"]) == WIDTH  # type: ignore[arg-type]
    want, got = (answers(one, {"ids": IDS})["scores"] for one in (source, path))
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())


def test_rows_that_are_laid_side_by_side(tmp_path: Path) -> None:
    source = servable(tmp_path, network(lambda rows: tf.reshape(rows, [-1, 3 * WIDTH]),
                                        columns=3 * WIDTH))
    path, report = slim(source, "reduce_rank(energy=0.999999)", weights="variables")
    assert widths(path) == [RANK], reasons(report)
    want, got = (answers(one, {"ids": IDS})["scores"] for one in (source, path))
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())


def test_several_tables_and_several_layers(tmp_path: Path) -> None:
    tables = [low_rank(), low_rank(rank=7)]
    kernels = [kernel(2 * WIDTH), kernel(2 * WIDTH, 3), kernel(WIDTH, 4)]

    def build() -> Any:
        ids = v1.placeholder(tf.int64, [None, 3], "ids")
        a, b = (tf.reduce_sum(tf.gather(variable(f"table{n}", one), ids), 1)
                for n, one in enumerate(tables))
        both = tf.concat([a, b], 1)
        deep, wide, alone = (variable(f"kernel{n}", one) for n, one in enumerate(kernels))
        return {"ids": ids}, {"deep": both @ deep, "wide": both @ wide, "alone": b @ alone}

    source = servable(tmp_path, build)
    path, report = slim(source, "reduce_rank(energy=0.9999999)", weights="variables")
    assert widths(path) == [RANK, 7], reasons(report)
    want, got = (answers(one, {"ids": IDS}) for one in (source, path))
    for key in want:
        np.testing.assert_allclose(got[key], want[key], rtol=0, atol=5e-5 * np.abs(want[key]).max())


def test_what_is_left_out_is_the_least_that_can_be(tmp_path: Path) -> None:
    """The best product of its rank, by Eckart and Young, worked out here from the whole table.

    Rows count by their length.
    """
    table = (RNG.normal(size=(ROWS, WIDTH)) * 0.8 ** np.arange(WIDTH)).astype(np.float32)
    right = kernel()

    def build() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        rows = tf.gather(variable("table", table), ids)
        return {"ids": ids}, {"scores": rows @ variable("kernel", right)}

    path, report = slim(servable(tmp_path, build), "reduce_rank(rank=6)", weights="variables")
    product = table.astype(np.float64) @ right
    counts = np.sqrt(np.linalg.norm(table, axis=1, keepdims=True))
    strengths = np.linalg.svd(counts * product, compute_uv=False)
    off = answers(path, {"ids": np.arange(ROWS)})["scores"] - product
    assert np.linalg.norm(counts * off) <= np.sqrt(np.sum(strengths[6:] ** 2)) * (1 + 1e-4)
    assert report.steps[0].treated[0].facts["energy"] == pytest.approx(
        np.sum(strengths[:6] ** 2) / np.sum(strengths ** 2), rel=1e-5)


def _read_whole(table: Any, rows: Any) -> dict:
    return {"scores": rows @ variable("kernel", kernel()), "all": tf.reduce_sum(table)}


@pytest.mark.parametrize("outputs, reason", [
    (_read_whole, "something besides lookups reads it"),
    (lambda table, rows: {"scores": rows @ variable("kernel", kernel()), "rows": rows},
     "something else"),
    (lambda table, rows: {"scores": tf.nn.relu(rows) @ variable("kernel", kernel())}, "something else"),
    (lambda table, rows: {"scores": rows @ tf.transpose(rows)}, "something else"),
    (lambda table, rows: {"scores": tf.matmul(rows, variable("kernel", kernel().T), transpose_b=True)},
     "something else"),
], ids=["read whole", "fetched", "behind a relu", "with itself", "transposed"])
def test_tables_that_are_more_than_summed_and_multiplied_stay(
        tmp_path: Path, outputs: Callable, reason: str) -> None:
    values = low_rank()

    def build() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        table = variable("table", values)
        return {"ids": ids}, outputs(table, tf.gather(table, ids))

    source = servable(tmp_path, build)
    path, report = slim(source, "reduce_rank(rank=2)", weights="variables")
    assert widths(path) == [WIDTH]
    assert reason in reasons(report)


@pytest.mark.parametrize("table, reason", [
    (RNG.normal(size=(ROWS, WIDTH)).astype(np.float32), "directions are needed"),
    (low_rank(20), "has only 20 rows"),
    (np.full((ROWS, WIDTH), np.nan, np.float32), "not every value is finite"),
], ids=["of all directions", "small", "not finite"])
def test_tables_that_would_gain_little_stay(tmp_path: Path, table: np.ndarray, reason: str) -> None:
    source = servable(tmp_path, network(BETWEEN["sum"], table=table))
    path, report = slim(source, "reduce_rank(energy=0.9999)", weights="variables")
    assert reason in reasons(report)
    assert any(np.array_equal(value, table, equal_nan=True) for value in stored(path).values())


@pytest.mark.parametrize("options, what", [
    ({"energy": 0.0}, "energy"), ({"energy": 1.5}, "energy"), ({"rank": -1}, "rank")], ids=str)
def test_wrong_options_are_errors_at_construction(options: dict, what: str) -> None:
    with pytest.raises(OptionError, match=what):
        TRANSFORMS["reduce_rank"](**options)


def test_with_a_checkpoint_rows_that_training_moved_much_count_more(tmp_path: Path) -> None:
    """Two groups of words, each with directions of its own; only the first is ever trained on."""
    words = [f"word{n}" for n in range(30)]
    column = tf.feature_column.categorical_column_with_hash_bucket("words", 5_000)
    columns = [tf.feature_column.embedding_column(column, 16, "mean")]
    config = tf.estimator.RunConfig(str(tmp_path / "model"), tf_random_seed=3, log_step_count_steps=None,
                                    save_summary_steps=1000, session_config=session_options())
    estimator = tf.estimator.DNNClassifier([24], columns, n_classes=3, config=config)
    estimator.train(inputs({"words": np.array(words).reshape(10, 3)}, np.arange(10).reshape(10, 1) % 3),
                    steps=30)
    source = os.fsdecode(estimator.export_saved_model(
        str(tmp_path / "export"), tf.estimator.export.build_parsing_serving_input_receiver_fn(
            tf.feature_column.make_parse_example_spec(columns))))
    asked = examples(*({"words": [word]} for word in words))
    off = []
    for checkpoint in (None, estimator.model_dir):
        path, _ = slim(source, "simplify_lookups drop_untrained_rows reduce_rank(rank=6)",
                       checkpoint=checkpoint)
        want, got = (ask(one, [asked])["predict", 0]["logits"] for one in (source, path))
        off.append(float(np.square(got - want).sum()))
    assert off[1] < 0.9 * off[0]
