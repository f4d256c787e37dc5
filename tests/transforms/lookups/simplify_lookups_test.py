"""simplify_lookups: what it takes out of feature columns, what it has to leave, and the answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import optimize_saved_model
from tests.support.alike import assert_same_answers
from tests.support.ask import ask
from tests.support.by_hand import answers, reasons, request_ops, servable, slim, v1, variable
from tests.support.models.zoo import examples
from tests.transforms.lookups.feature_columns import (
    FED,
    LIST,
    REQUESTS,
    column,
    column_servable,
    fed_servable,
    hashed,
    layer,
    parsed,
    vocabulary,
)

FILLING = ("SparseFillEmptyRows", "Where", "Tile", "Select", "SelectV2", "GreaterEqual")


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn"])
@pytest.mark.parametrize("kind", ["hash", "vocabulary with unknown buckets"])
def test_ids_that_cannot_be_negative_need_no_filter_and_no_filling(
        tmp_path: Path, kind: str, combiner: str) -> None:
    words = hashed() if kind == "hash" else vocabulary(tmp_path, 3)
    source = column_servable(tmp_path, [column.embedding_column(words, 4, combiner)])
    path, _ = slim(source, LIST)
    before, after = request_ops(source), request_ops(path)
    own = before["SelectV2"] if kind != "hash" else 0  # id or bucket: the vocabulary's own choice
    assert all(before[op] for op in ("SparseFillEmptyRows", "Where", "Tile", "GreaterEqual"))
    assert {op: after[op] for op in FILLING if after[op]} == ({"SelectV2": own} if own else {})
    assert after["Reshape"] == after["SparseReshape"] == 0
    assert sum(after.values()) <= 0.5 * sum(before.values())
    assert_same_answers(path, source, *REQUESTS)


@pytest.mark.parametrize("name", ["dnn_v1_hash_mean", "dnn_v2_hash_mean"])
def test_canned_estimators_keep_only_the_lookup_and_the_sum(
        exported: Callable, name: str, tmp_path: Path) -> None:
    optimize_saved_model(exported(name), tmp_path / "slim", LIST)
    ops = request_ops(str(tmp_path / "slim"))
    assert not any(ops[op] for op in FILLING if op != "Tile")  # which makes the list of classes
    assert ops["SparseSegmentMeanWithNumSegments"] == 1


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn"])
def test_a_vocabulary_without_unknown_buckets_keeps_its_filter(tmp_path: Path, combiner: str) -> None:
    words = vocabulary(tmp_path, 0)
    source = column_servable(tmp_path, [column.embedding_column(words, 4, combiner)])
    path, _ = slim(source, LIST)
    assert request_ops(path)["Where"] and request_ops(path)["GreaterEqual"]
    assert_same_answers(path, source, *REQUESTS)


@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn"])
def test_fed_sparse_tensors_keep_what_puts_them_in_order(tmp_path: Path, combiner: str) -> None:
    embedded = [column.embedding_column(hashed(), 4, combiner)]
    source = fed_servable(tmp_path, lambda words: layer({"words": words}, embedded))
    path, report = slim(source, LIST)
    assert request_ops(path)["SparseFillEmptyRows"] == 1
    assert "the order of its sparse indices is not certain" in reasons(report)
    assert_same_answers(path, source, *FED)
    assert isinstance(ask(path, FED)["parsed", 1], dict)


def test_a_fed_shape_that_no_tensor_has_is_refused_as_before(tmp_path: Path) -> None:
    table = np.random.default_rng(6).normal(size=(40, 4)).astype(np.float32)
    keys = ("indices", "values", "dense_shape")

    def network() -> Any:
        ids, weights = (v1.sparse_placeholder(dtype, [None, None], dtype.name)
                        for dtype in (tf.int64, tf.float32))
        value = tf.nn.safe_embedding_lookup_sparse(variable("table", table), ids, weights)
        fed = {f"{part.dtype.name}/{key}": getattr(part, key) for part in (ids, weights) for key in keys}
        return fed, {"value": value}

    def request(rows: int) -> dict:
        parts = {"int64/values": [3, 4], "float32/values": [0.5, 2.0]}
        for dtype in ("int64", "float32"):
            parts[f"{dtype}/indices"], parts[f"{dtype}/dense_shape"] = [[0, 0], [1, 0]], [rows, 3]
        return {key: np.array(value) for key, value in parts.items()}

    source = servable(tmp_path, network)
    path, _ = slim(source, LIST)
    assert_same_answers(path, source, request(2), request(5), request(-5))
    refusal = ask(path, [request(-5)])["serving_default", 0]
    assert isinstance(refusal, str)  # where nothing checks it, a kernel behind ends the process


def test_fed_ids_may_be_negative_and_keep_their_filter(tmp_path: Path) -> None:
    table = np.random.default_rng(6).normal(size=(40, 4)).astype(np.float32)

    def network() -> Any:
        serialized, features = parsed([hashed()])
        words = features["words"]
        ids = tf.strings.to_hash_bucket_fast(words.values, 40, name="ids")
        looked_up = tf.nn.safe_embedding_lookup_sparse(
            variable("table", table), tf.SparseTensor(words.indices, ids, words.dense_shape))
        return {"serving_default": ({"examples": serialized}, {"value": looked_up}),
                "ids": ({"examples": serialized, "ids": ids}, {"value": looked_up})}

    source = servable(tmp_path, network)
    path, _ = slim(source, LIST)
    assert request_ops(path)["Where"] and request_ops(path)["GreaterEqual"]
    assert_same_answers(path, source, *REQUESTS, *(
        {"examples": examples({"words": ["a", "b", "c"]}), "ids": ids}
        for ids in ([-1, 2, -7], [1, 2, 3], [-1, -1, -1], [1, 2, 40])))


@pytest.mark.parametrize("second", ["its own", "half"], ids=str)
def test_a_reshape_that_gives_an_empty_tensor_another_shape_stays(
        tmp_path: Path, second: str) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, None], "x")
        columns = tf.shape(x)[1]
        columns = columns if second == "its own" else columns // 2
        return {"x": x}, {"y": tf.reshape(x, tf.stack([-1, columns])) + 1.0}

    source = servable(tmp_path, network)
    path, _ = slim(source, LIST)
    requests = [{"x": np.ones(shape)} for shape in ((2, 4), (0, 4), (3, 0), (0, 0), (1, 1))]
    assert_same_answers(path, source, *requests)
    assert answers(path, requests[3])["y"].shape == (1, 0)  # TensorFlow's answer to -1 for [0, 0]


def test_a_reshape_to_the_shape_it_has_is_taken_out(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        whole = tf.reshape(tf.reshape(x, tf.shape(x)) + 1.0, [-1, 4])
        return {"x": x}, {"y": whole * 2.0, "other": tf.reshape(x, [-1, 2]) * 2.0}

    source = servable(tmp_path, network)
    path, _ = slim(source, LIST)
    assert request_ops(path)["Reshape"] == 1
    assert_same_answers(path, source, *({"x": np.ones((n, 4))} for n in (3, 1, 0)))


def test_what_a_signature_fetches_of_the_expansion_is_still_there(tmp_path: Path) -> None:
    embedded = [column.embedding_column(hashed(), 4)]

    def network() -> Any:
        serialized, features = parsed(embedded)
        outputs = {"value": layer(features, embedded)}
        for op in tf.compat.v1.get_default_graph().get_operations():
            if op.type in (*FILLING, "SparseReshape"):
                outputs.update({f"{op.type}{n}": tensor for n, tensor in enumerate(op.outputs)})
        assert len(outputs) >= 8
        return {"examples": serialized}, outputs

    source = servable(tmp_path, network)
    path, _ = slim(source, LIST)
    assert_same_answers(path, source, *REQUESTS)
