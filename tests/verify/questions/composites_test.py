"""Signatures that take the parts of sparse and ragged tensors: the parts that are asked fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Verification, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.verify.answers.asking import Job, ask_here
from estimator_slim.verify.questions.cases import CASES, TYPICAL
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.request import Answer, Refusal
from tests.support.by_hand import v1, variable

ROWS = np.random.default_rng(3).normal(size=(500, 8)).astype(np.float32)
SPARSE, WEIGHTS = (tf.SparseTensorSpec([None, None], dtype) for dtype in (tf.int64, tf.float32))
RAGGED = tf.RaggedTensorSpec([None, None], tf.int64)
NESTED = tf.RaggedTensorSpec([None, None, None], tf.int64)
LINE, VALUES, SPLITS = (tf.TensorSpec([None], tf.int64, name) for name in ("id", "values", "row_splits"))


def of_v2(folder: Path, function: Callable, *specs: Any) -> str:
    """What tf.saved_model.save writes of `function(table, *inputs)`."""
    module = tf.Module()
    module.table = tf.Variable(ROWS)
    module.serve = tf.function(lambda *inputs: function(module.table, *inputs), input_signature=specs)
    tf.saved_model.save(module, str(folder / "original"), signatures=module.serve)
    return str(folder / "original")


def mean(table: Any, ids: Any) -> dict:
    return {"value": tf.nn.safe_embedding_lookup_sparse(table, ids, combiner="mean")}


def weighted(table: Any, ids: Any, weights: Any) -> dict:
    return {"value": tf.nn.safe_embedding_lookup_sparse(table, ids, weights, combiner="sum")}


def ragged_sum(table: Any, ids: Any) -> dict:
    return {"value": tf.reduce_sum(tf.gather(table, ids), 1)}


def nested_sum(table: Any, ids: Any) -> dict:
    return {"value": tf.reduce_sum(tf.reduce_sum(tf.gather(table, ids), 2), 1)}


def by_rows(table: Any, values: Any, row_splits: Any, target: Any) -> dict:
    ids = tf.RaggedTensor.from_row_splits(values, row_splits).to_tensor()
    return {"value": tf.reduce_sum(tf.gather(table, ids), 1) * tf.gather(table, target)}


def answers(directory: str) -> dict[str, Answer]:
    requests = made_up_requests(read_servable(directory))
    heard, = ask_here([Job(directory, requests, grappler=False)])
    return {r.origin: answer for r, answer in zip(requests, heard.answers)}


@pytest.mark.parametrize("function, specs", [
    (mean, [SPARSE]), (weighted, [SPARSE, WEIGHTS]), (ragged_sum, [RAGGED]), (nested_sum, [NESTED]),
    (by_rows, [VALUES, SPLITS, LINE])], ids=lambda value: getattr(value, "__name__", ""))
def test_the_original_answers_most_questions_with_a_row_for_each(
        function: Callable, specs: list, tmp_path: Path) -> None:
    found = answers(of_v2(tmp_path, function, *specs))
    value = found[TYPICAL.name]["value"].values
    assert value.shape == (TYPICAL.rows, 8)
    assert len(np.unique(value, axis=0)) > TYPICAL.rows // 2
    assert not isinstance(found["longer inputs"], Refusal)


def test_a_dense_shape_below_zero_is_asked_where_the_original_refuses_it(tmp_path: Path) -> None:
    found = answers(of_v2(tmp_path, mean, SPARSE))
    assert isinstance(found["a malformed shape"], Refusal)


def test_a_dense_shape_below_zero_is_not_asked_where_the_process_would_end(tmp_path: Path) -> None:
    directory = of_v2(tmp_path, lambda _, ids: {"value": tf.sparse.fill_empty_rows(ids, 0)[0].values},
                      SPARSE)
    found = answers(directory)
    assert "a malformed shape" not in found
    assert not isinstance(found[TYPICAL.name], Refusal)


def product(table: Any, one: Any, other: Any) -> dict:
    return {"value": tf.gather(table, one) * tf.gather(table, other)}


def test_two_inputs_that_are_numbered_are_no_ragged_tensor(tmp_path: Path) -> None:
    directory = of_v2(tmp_path, product, LINE, tf.TensorSpec([None], tf.int64, "id_1"))
    assert len(answers(directory)[TYPICAL.name]["value"].values) == TYPICAL.rows


def of_v1(folder: Path, network: Callable) -> str:
    with tf.Graph().as_default(), v1.Session() as session:
        inputs, outputs = network()
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder / "original"), inputs, outputs)
    return str(folder / "original")


def placeholders() -> tuple[dict, dict]:
    ids = v1.sparse_placeholder(tf.int64, [None, None], "ids")
    rows = tf.nn.embedding_lookup_sparse(variable("table", ROWS), tf.sparse.reorder(ids), None)
    return {"indices": ids.indices, "values": ids.values, "shape": ids.dense_shape}, {"value": rows}


def ragged_placeholder() -> tuple[dict, dict]:
    ids = v1.ragged.placeholder(tf.int64, 1, [])
    return {"ids": ids}, {"value": tf.reduce_sum(tf.gather(variable("table", ROWS), ids), 1)}


@pytest.mark.parametrize("network", [placeholders, ragged_placeholder])
def test_the_parts_of_placeholders_fit(network: Callable, tmp_path: Path) -> None:
    value = answers(of_v1(tmp_path, network))[TYPICAL.name]["value"].values
    assert len(np.unique(value, axis=0)) > TYPICAL.rows // 2


def slimmed(directory: str, folder: Path) -> Verification:
    report = optimize_saved_model(directory, folder / "slim", "fold_constants", verify="enforce")
    assert report is not None and report.verification is not None
    return report.verification


def test_a_ragged_output_is_compared_part_by_part(tmp_path: Path) -> None:
    directory = of_v2(tmp_path, lambda table, ids: {
        "ids": tf.RaggedTensor.from_row_lengths(ids, [tf.size(ids)], validate=False),
        "value": tf.gather(table, ids)}, LINE)
    found = slimmed(directory, tmp_path)
    assert {o.output for o in found.outputs} == {"ids.0", "ids.1", "value"}
    assert found.unverified == ()


def test_there_are_not_many_more_questions_for_it(tmp_path: Path) -> None:
    requests = made_up_requests(read_servable(of_v2(tmp_path, weighted, SPARSE, WEIGHTS)))
    assert len(requests) == len({r.origin for r in requests}) <= len(CASES)
