"""simplify_lookups on indicator columns: large ones become lookups, and count as before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.alike import ROUNDED, assert_near_answers, assert_same_answers
from tests.support.by_hand import answers, request_ops, servable, slim, v1
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
    vocabulary,
)


def test_a_large_indicator_column_becomes_a_lookup(tmp_path: Path) -> None:
    source = column_servable(tmp_path, [column.indicator_column(hashed(5000))], 64)
    path, _ = slim(source, LIST)
    ops = request_ops(path)
    assert ops["OneHot"] == ops["SparseToDense"] == ops["MatMul"] == 0
    assert ops["ResourceGather"] == ops["SparseSegmentSumWithNumSegments"] == 1
    assert_near_answers(path, source, *REQUESTS, **ROUNDED)


def test_beside_other_columns_each_keeps_its_rows_of_the_kernel(tmp_path: Path) -> None:
    columns = [column.indicator_column(hashed(5000)), column.embedding_column(hashed(60), 7),
               column.numeric_column("age"), column.indicator_column(
                   column.categorical_column_with_hash_bucket("last", 9))]
    source = column_servable(tmp_path, columns, 64)
    path, _ = slim(source, LIST)
    assert request_ops(path)["OneHot"] == 1  # of the small one
    asked = examples({"words": ["turn", "on", "on"], "age": [3.0], "last": ["on"]},
                     {"words": [], "age": [-1.0]}, {"words": ["x"], "age": [0.5]})
    assert_near_answers(path, source, {"examples": asked}, {"examples": asked[:1]},
                        {"examples": asked[:0]}, **ROUNDED)


def test_a_word_that_comes_twice_counts_twice(tmp_path: Path) -> None:
    source = column_servable(tmp_path, [column.indicator_column(hashed(5000))], 64)
    path, _ = slim(source, LIST)
    once, twice = answers(path, {"examples": examples({"words": ["turn"]})},
                          {"examples": examples({"words": ["turn", "turn"]})})
    np.testing.assert_array_equal(twice["value"], 2 * once["value"])
    assert np.any(once["value"])


def test_a_large_indicator_column_can_be_quantized(tmp_path: Path) -> None:
    source = column_servable(tmp_path, [column.indicator_column(hashed(5000))], 64)
    path, report = slim(source, f"{LIST} quantize_weights")
    assert report.ratio < 0.35
    asked = {"examples": examples({"words": ["turn"]}, {"words": ["on"]})}
    wanted, got = answers(source, asked)["value"], answers(path, asked)["value"]
    bound = np.abs(wanted).max(axis=1, keepdims=True) * (1 / 254 + 1e-6)  # of the row it reads
    assert np.all(np.abs(got - wanted) <= bound)


def test_a_small_indicator_column_stays(tmp_path: Path) -> None:
    source = column_servable(tmp_path, [column.indicator_column(hashed(20))], 64)
    path, _ = slim(source, LIST)
    assert request_ops(path)["OneHot"] == request_ops(path)["MatMul"] == 1
    assert_same_answers(path, source, *REQUESTS)


def test_an_indicator_of_a_vocabulary_without_unknown_buckets_stays(tmp_path: Path) -> None:
    source = column_servable(tmp_path, [column.indicator_column(vocabulary(tmp_path, 0))], 20_000)
    path, _ = slim(source, LIST)
    assert request_ops(path)["OneHot"] == 1
    assert_same_answers(path, source, *REQUESTS)


def test_an_indicator_of_fed_words_stays(tmp_path: Path) -> None:
    columns = [column.indicator_column(hashed(5000))]
    source = fed_servable(tmp_path, lambda words: layer({"words": words}, columns, 64))
    path, _ = slim(source, LIST)
    assert request_ops(path)["OneHot"] == 1
    assert_same_answers(path, source, *FED)


def test_an_indicator_whose_kernel_is_read_again_stays(tmp_path: Path) -> None:
    columns = [column.indicator_column(hashed(5000))]

    def network() -> Any:
        serialized = v1.placeholder(tf.string, [None], "examples")
        features = tf.io.parse_example(serialized, column.make_parse_example_spec(columns))
        hot = v1.feature_column.input_layer(features, columns)
        kernel = v1.get_variable("kernel", [5000, 64]).read_value()
        return {"examples": serialized}, {"value": tf.matmul(hot, kernel),
                                          "norm": tf.reduce_sum(kernel * kernel)}

    source = servable(tmp_path, network)
    path, _ = slim(source, LIST)
    assert request_ops(path)["MatMul"] == 1
    assert_same_answers(path, source, *REQUESTS)
