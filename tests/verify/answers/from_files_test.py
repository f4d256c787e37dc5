"""Tables that stay in their files: answers are the same, bit by bit, and only the rest is loaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from estimator_slim.graph import names
from estimator_slim.verify.answers.asking import Heard, Job, ask_here
from estimator_slim.verify.answers.from_files import leave_in_files
from estimator_slim.verify.answers.lookups import graph_of, looked_up
from estimator_slim.verify.request import Refusal, Request
from tests.support.by_hand import meta_graph, servable, v1, variable

ROWS, WIDTH = 50, 4
IDS = np.array([[3, 49, 3], [0, 17, 48]])
RANDOM = np.random.default_rng(3)


def table(name: str, *, dtype: Any = np.float32, shape: tuple[int, ...] = (ROWS, WIDTH),
          **options: Any) -> Any:
    return variable(name, (RANDOM.normal(size=shape) * 40).astype(dtype), **options)


def parts(strategy: str) -> Callable[[Any], Any]:
    """A table in three parts, as partitioned variables are saved: slices of one tensor."""
    def looked_up_in(ids: Any) -> Any:
        values = (RANDOM.normal(size=(ROWS + 1, WIDTH))).astype(np.float32)
        whole = v1.get_variable(f"in_parts_{strategy}", shape=values.shape,
                                initializer=lambda shape, partition_info, **_: tf.constant(
                                    values[partition_info.single_offset(shape):][:shape[0]]),
                                partitioner=v1.fixed_size_partitioner(3))
        return v1.nn.embedding_lookup(whole, ids, partition_strategy=strategy)
    return looked_up_in


def best_row(ids: Any) -> Any:
    """Ids that are made from the rows of another table."""
    scores = tf.gather(table("scores"), ids)
    return tf.gather(table("by_scores", shape=(WIDTH, WIDTH)), tf.argmax(scores, axis=-1))


def in_a_branch(ids: Any) -> Any:
    rows = table("in_a_branch", use_resource=False)
    return v1.cond(tf.size(ids) > 1, lambda: tf.gather(rows, ids), lambda: tf.gather(rows, ids * 0))


def behind_a_check(ids: Any) -> Any:
    rows = table("checked", use_resource=True)
    with tf.control_dependencies([v1.assert_less(ids, np.int64(ROWS))]):
        return tf.gather(rows, tf.identity(ids))


LOOKUPS: dict[str, Callable[[Any], Any]] = {
    "of a variable": lambda ids: tf.gather(table("plain", use_resource=False), ids),
    "of a resource": lambda ids: v1.nn.embedding_lookup(table("resource", use_resource=True), ids),
    "of what is read": lambda ids: tf.gather(table("read", use_resource=True).read_value(), ids),
    "of wide rows": lambda ids: tf.gather(table("wide", shape=(ROWS, 2, 3)), ids),
    "of numbers": lambda ids: tf.gather(table("numbers", shape=(ROWS,)), ids),
    "by 32-bit ids": lambda ids: tf.gather(table("by_32_bits"), tf.cast(ids, tf.int32)),
    "by one id": lambda ids: tf.gather(table("by_one", use_resource=True), tf.reduce_max(ids)),
    **{f"of {dtype.__name__}": lambda ids, dtype=dtype: tf.gather(
        table(f"of_{dtype.__name__}", dtype=dtype, use_resource=True), ids)
       for dtype in (np.float16, np.float64, np.int8, np.uint8, np.int64)},
    "in parts by mod": parts("mod"),
    "in parts by div": parts("div"),
    "by ids that a table makes": best_row,
    "behind a check": behind_a_check,
    "in a branch": in_a_branch,
    "along the columns": lambda ids: tf.gather(table("columns"), tf.minimum(ids, 3), axis=1),
    "and all of it": lambda ids: tf.gather(rows := table("twice"), ids) + tf.reduce_sum(rows),
}
WHOLE = {"in_a_branch", "columns", "twice"}  # they are read in other ways, too


def network() -> dict[str, Any]:
    signatures = {}
    for key, look_up in LOOKUPS.items():
        ids = v1.placeholder(tf.int64, [None, 3], "ids")
        signatures[key] = {"ids": ids}, {"rows": look_up(ids)}
    return signatures


@pytest.fixture(scope="module")
def directory(tmp_path_factory: Any) -> str:
    return servable(tmp_path_factory.mktemp("from_files"), network)


@pytest.fixture(scope="module")
def heard(directory: str) -> tuple[Heard, Heard]:
    """What was answered by one that is loaded whole, and by one whose tables are in their files."""
    requests = [Request(key, {"ids": value}, "asked")
                for key in LOOKUPS for value in (IDS, IDS[:0], IDS + 1000, IDS - 50)]
    whole, in_files = ask_here([Job(directory, requests), Job(directory, requests, in_files=1)])
    assert (whole.refused, in_files.refused) == (None, None)
    return whole, in_files


@pytest.mark.parametrize("number, key", enumerate(LOOKUPS), ids=list(LOOKUPS))
def test_answers_are_those_of_a_servable_that_is_loaded_whole(
        heard: tuple[Heard, Heard], number: int, key: str) -> None:
    whole, in_files = (one.answers[4 * number:4 * number + 4] for one in heard)
    assert not isinstance(whole[0], Refusal), whole[0]
    for one, other in zip(whole, in_files):
        if isinstance(one, Refusal):
            assert isinstance(other, Refusal) and one.error == other.error, other
        else:
            assert not isinstance(other, Refusal), other
            assert one["rows"].values.dtype == other["rows"].values.dtype
            np.testing.assert_array_equal(one["rows"].values, other["rows"].values)


def test_all_tables_stay_in_their_files_but_those_that_are_read_in_other_ways(directory: str) -> None:
    loaded = meta_graph(directory)
    graph = graph_of(loaded)
    variables = {node.name for node in graph.nodes.values() if node.op in ("VarHandleOp", "VariableV2")}
    found = looked_up(graph, loaded, f"{directory}/variables/variables", 1)
    assert variables - {one.name for one in found} == WHOLE


def test_what_stays_in_its_file_is_not_restored(directory: str) -> None:
    loaded = loader_impl.SavedModelLoader(directory).get_meta_graph_def_from_tags(["serve"])
    leave_in_files(loaded, f"{directory}/variables/variables", 1)
    graph = graph_of(loaded)
    needed = graph.ancestors([loaded.saver_def.restore_op_name])
    restored = [key.decode() for name in needed if graph.nodes[name].op == "RestoreV2"
                for key in graph.constant(graph.nodes[name].input[1])]
    assert set(restored) == WHOLE
    assert {names.node_of(i) for node in graph.nodes.values() for i in node.input} <= graph.nodes.keys()


def test_tables_below_a_size_are_loaded(directory: str) -> None:
    loaded = meta_graph(directory)
    bytes_of_wide = 4 * ROWS * 6
    found = looked_up(graph_of(loaded), loaded, f"{directory}/variables/variables", bytes_of_wide)
    assert {one.name for one in found} == {"wide", "of_float64", "of_int64"}


def test_a_table_whose_file_ends_early_is_refused_as_when_it_is_loaded(tmp_path: Path) -> None:
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        return {"ids": ids}, {"rows": tf.gather(table("only"), ids)}

    directory = servable(tmp_path, network)
    (data,) = Path(directory, "variables").glob("variables.data-*")
    os.truncate(data, data.stat().st_size - 8)
    heard, = ask_here([Job(directory, [], in_files=1)])
    assert heard.refused is not None
    assert "expected at least" in heard.refused.message

