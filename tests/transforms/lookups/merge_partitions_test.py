"""A table in partitions is looked up as one table, and answers as its partitions did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alike import assert_same_answers
from tests.support.by_hand import answers, request_ops, servable, slim, stored

v1 = tf.compat.v1
ROWS, WIDTH = 1003, 80  # 321 kB: the table is a variable, and no number of parts divides it
SIMPLIFY = "strip_unused_nodes remove_nodes(op=Identity) fold_constants simplify_lookups"
EVERY_ID = {"ids": np.arange(ROWS)}
STRANGE = [{"ids": np.array(ids)} for ids in ([-1], [ROWS], [5, ROWS + 7], [2**40], [])]


def table(parts: int, **options: Any) -> Any:
    partitioner = v1.fixed_size_partitioner(parts)
    return v1.get_variable("table", [ROWS, WIDTH], partitioner=partitioner, **options)


def by_ids(network: Callable[[Any], Any], dtype: tf.DType = tf.int64) -> Callable[[], Any]:
    """A network whose outputs `network` makes of the ids."""
    def build() -> Any:
        ids = v1.placeholder(dtype, [None], "ids")
        return {"ids": ids}, network(ids)
    return build


def partitioned(strategy: str, parts: int, **options: Any) -> Callable[[], Any]:
    return by_ids(lambda ids: {"rows": v1.nn.embedding_lookup(table(parts, **options), ids, strategy)})


@pytest.mark.parametrize("use_resource", [True, False], ids=["resource", "reference"])
@pytest.mark.parametrize("parts", [2, 3, 7])
@pytest.mark.parametrize("strategy", ["mod", "div"])
def test_one_lookup_answers_as_all_the_parts_did(
        tmp_path: Path, strategy: str, parts: int, use_resource: bool) -> None:
    source = servable(tmp_path, partitioned(strategy, parts, use_resource=use_resource))
    path, _ = slim(source, SIMPLIFY)
    ops = request_ops(path)
    assert ops["ResourceGather"] == 1 and not ops.keys() & {"DynamicPartition", "ParallelDynamicStitch"}
    assert_same_answers(path, source, EVERY_ID, *STRANGE)


@pytest.mark.parametrize("strategy", ["mod", "div"])
def test_the_table_is_stored_once_in_the_order_of_its_ids(tmp_path: Path, strategy: str) -> None:
    source = servable(tmp_path, partitioned(strategy, 3))
    path, _ = slim(source, SIMPLIFY)
    [merged] = stored(path).values()
    np.testing.assert_array_equal(merged, answers(source, EVERY_ID)["rows"])


def test_a_merged_table_is_quantized_as_one(tmp_path: Path) -> None:
    source = servable(tmp_path, partitioned("mod", 5))
    path, _ = slim(source, SIMPLIFY + " quantize_weights", weights="variables")
    assert [v.shape for v in stored(path).values() if v.dtype.itemsize == 1] == [(ROWS, WIDTH)]
    rows = answers(source, EVERY_ID)["rows"]
    np.testing.assert_allclose(answers(path, EVERY_ID)["rows"], rows, rtol=0,
                               atol=np.abs(rows).max() / 254 * (1 + 1e-5))


def test_two_lookups_of_one_table_share_it(tmp_path: Path) -> None:
    def network(ids: Any) -> Any:
        parts = table(3)
        return {"rows": v1.nn.embedding_lookup(parts, ids, "div"),
                "next": v1.nn.embedding_lookup(parts, (ids + 1) % ROWS, "div")}
    source = servable(tmp_path, by_ids(network))
    path, _ = slim(source, SIMPLIFY)
    assert len(stored(path)) == 1 and request_ops(path)["ResourceGather"] == 2
    assert_same_answers(path, source, EVERY_ID, *STRANGE)


def test_parts_of_a_tf_function_are_stored_once_and_who_waited_for_them_waits_on(tmp_path: Path) -> None:
    module = tf.Module()
    rows = np.random.default_rng(2).normal(size=(2, ROWS, WIDTH)).astype(np.float32)
    module.parts = [tf.Variable(part) for part in rows]
    module.serve = tf.function(
        lambda ids: {"rows": tf.nn.embedding_lookup(module.parts, ids), "ids": ids},
        input_signature=[tf.TensorSpec([None], tf.int64, "ids")])
    source = str(tmp_path / "original")
    tf.saved_model.save(module, source, signatures=module.serve)
    path, _ = slim(source, "simplify_lookups")
    assert [value.shape for value in stored(path).values()] == [(2 * ROWS, WIDTH)]
    assert request_ops(path)["ResourceGather"] == 1
    every, = [{"ids": np.arange(2 * ROWS)}]
    assert_same_answers(path, source, every, {"ids": [2 * ROWS]}, {"ids": [-1]}, {"ids": []})


def test_ids_of_32_bits_are_merged_too(tmp_path: Path) -> None:
    source = servable(tmp_path, by_ids(
        lambda ids: {"rows": v1.nn.embedding_lookup(table(4), ids, "div")}, tf.int32))
    path, _ = slim(source, SIMPLIFY)
    assert not request_ops(path)["DynamicPartition"]
    assert_same_answers(path, source, {"ids": np.arange(ROWS, dtype=np.int32)},
                        {"ids": np.array([-1], np.int32)})


def test_a_part_that_something_else_reads_keeps_the_parts_apart(tmp_path: Path) -> None:
    def network(ids: Any) -> Any:
        parts = table(2)
        return {"rows": v1.nn.embedding_lookup(parts, ids, "mod"),
                "sums": tf.reduce_sum(list(parts)[1], 1)}
    source = servable(tmp_path, by_ids(network))
    path, _ = slim(source, SIMPLIFY)
    assert request_ops(path)["DynamicPartition"] == 2
    assert_same_answers(path, source, EVERY_ID)


def dealt(ids: Any, part_of: Any, row_of: Any) -> Any:
    """A lookup in two parts by arithmetic of one's own."""
    parts = [v1.get_variable(f"part_{n}", [600, WIDTH]) for n in range(2)]
    places = tf.dynamic_partition(tf.range(tf.size(ids)), part_of, 2)
    rows = tf.dynamic_partition(row_of, part_of, 2)
    return tf.dynamic_stitch(places, [tf.gather(p, r) for p, r in zip(parts, rows)])


@pytest.mark.parametrize("part_of, row_of", [
    (lambda ids: 1 - ids % 2, lambda ids: ids // 2),                 # the parts in another order
    (lambda ids: ids % 2, lambda ids: tf.minimum(ids // 2, 500)),    # several ids share a row
    (lambda ids: ids % 2, lambda ids: tf.abs(ids // 2)),             # an operation that is not known
    (lambda ids: ids % 2, lambda ids: ids // 2 % 600),               # ids beyond the table are answered
    (lambda ids: ids % 2, lambda ids: ids // 2 + 0 * tf.reduce_sum(ids)),  # not each id by itself
], ids=["order", "shared rows", "unknown operation", "beyond", "not each by itself"])
def test_other_ways_of_dealing_ids_out_are_left_alone(
        tmp_path: Path, part_of: Callable, row_of: Callable) -> None:
    source = servable(tmp_path, by_ids(
        lambda ids: {"rows": dealt(ids, tf.cast(part_of(ids), tf.int32), row_of(ids))}))
    path, _ = slim(source, SIMPLIFY)
    assert request_ops(path)["DynamicPartition"] == 2
    assert_same_answers(path, source, {"ids": np.arange(1200)}, {"ids": np.array([1200, 1300])})
