"""Transforms reach into loops and branches, and what these do stays done."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import TransformError
from estimator_slim.graph import Graph, attributes
from estimator_slim.transforms import Transform
from tests.support.alike import assert_same_answers
from tests.support.by_hand import answers, meta_graph, servable, slim, variable

v1 = tf.compat.v1
X = np.arange(6, dtype=np.float32).reshape(2, 3)
LOSSLESS = ("strip_unused_nodes remove_nodes(op=Identity) fold_constants merge_duplicate_nodes "
            "sort_by_execution_order")


def export(tmp_path: Path, network: Any) -> str:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        return {"x": x}, {"y": network(x)}
    return servable(tmp_path, build)


def ops_in_functions(directory: str) -> Counter:
    library = meta_graph(directory).graph_def.library
    return Counter(node.op for function in library.function for node in function.node_def)


def test_constants_in_a_loop_are_computed_once_and_duplicates_merged(tmp_path: Path) -> None:
    def step(i: tf.Tensor, a: tf.Tensor) -> Any:
        shift = tf.sin(tf.constant(2.0)) * tf.cos(tf.constant(3.0))
        return i + 1, tf.tanh(a) + tf.tanh(a) * tf.identity(shift)
    source = export(tmp_path, lambda x: tf.while_loop(lambda i, _: i < 5, step, (0, x))[1])
    path, _ = slim(source, LOSSLESS)
    before, after = ops_in_functions(source), ops_in_functions(path)
    assert (before["Sin"], before["Tanh"]) == (1, 2)
    assert (after["Sin"], after["Cos"], after["Tanh"]) == (0, 0, 1)
    assert_same_answers(path, source, {"x": X}, {"x": X[:0]})


def test_the_nodes_of_functions_are_counted(tmp_path: Path) -> None:
    source = export(tmp_path, lambda x: tf.while_loop(
        lambda i, _: i < 5, lambda i, a: (i + 1, tf.tanh(a) * 2.0), (0, x))[1])
    path, report = slim(source, LOSSLESS)
    for directory, count in ((source, report.nodes_before), (path, report.nodes_after)):
        in_functions = sum(ops_in_functions(directory).values())
        assert count == len(meta_graph(directory).graph_def.node) + in_functions > in_functions > 5


def test_a_check_in_a_branch_still_refuses(tmp_path: Path) -> None:
    def checked(x: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([v1.debugging.assert_less(x, 10.0)]):
            return tf.identity(x) * 2.0
    source = export(tmp_path, lambda x: tf.cond(tf.reduce_sum(x) > 3, lambda: checked(x), lambda: x))
    path, _ = slim(source, LOSSLESS)
    assert_same_answers(path, source, {"x": X}, {"x": X * 0}, {"x": X + 100})
    assert answers(path, {"x": X + 100}) == "InvalidArgumentError"


def test_what_a_branch_changes_stays_changed(tmp_path: Path) -> None:
    def network(x: tf.Tensor) -> Any:
        count = variable("count", np.float32(0), use_resource=True)
        changed = tf.cond(tf.reduce_sum(x) > 3, lambda: count.assign_add(1.0), lambda: count + 0.0)
        return x + changed
    path, _ = slim(export(tmp_path, network), LOSSLESS)
    found = answers(path, {"x": X}, {"x": X * 0}, {"x": X})
    np.testing.assert_array_equal([a["y"][0, 0] for a in found], [1, 1, 2])


def test_functions_in_functions_in_a_loop_are_reached(tmp_path: Path) -> None:
    def step(i: tf.Tensor, a: tf.Tensor) -> Any:
        return i + 1, tf.cond(tf.reduce_sum(a) > 0, lambda: a * tf.sin(tf.constant(2.0)), lambda: a)
    source = export(tmp_path, lambda x: tf.while_loop(lambda i, _: i < 5, step, (0, x))[1])
    path, _ = slim(source, LOSSLESS)
    assert ops_in_functions(source)["Sin"] == 1 and not ops_in_functions(path)["Sin"]
    assert_same_answers(path, source, {"x": X}, {"x": -X})


def words_of(example: tf.Tensor) -> tf.Tensor:
    """Six words of a SequenceExample; of its parser five lists are empty, which is their default."""
    words = tf.io.parse_single_sequence_example(example, sequence_features={
        "words": tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)})[1]["words"][:6]
    return tf.pad(words, [[0, 6 - tf.shape(words)[0]]])


def parsed_in_a_loop_in_a_branch(examples: tf.Tensor) -> tf.Tensor:
    def all_of_them() -> tf.Tensor:
        def step(i: tf.Tensor, rows: tf.TensorArray) -> Any:
            return i + 1, rows.write(i, words_of(examples[i]))
        count = tf.shape(examples)[0]
        return tf.while_loop(lambda i, _: i < count, step,
                             (0, tf.TensorArray(tf.string, count, element_shape=[6])))[1].stack()
    return tf.switch_case(tf.minimum(tf.size(examples), 1), [
        lambda: tf.fill([0, 6], ""), all_of_them])


def parsed_in_batches_of_a_dataset(examples: tf.Tensor) -> tf.Tensor:
    def words(batch: tf.Tensor) -> tf.Tensor:
        found = tf.io.parse_sequence_example(batch, sequence_features={
            "words": tf.io.RaggedFeature(tf.string)})[1]["words"]
        return found.merge_dims(1, 2).to_tensor("", shape=[None, 6])
    rows = tf.data.Dataset.from_tensor_slices(examples).batch(3).map(words).unbatch()
    return rows.batch(1000).get_single_element()


@pytest.mark.parametrize("network", [parsed_in_a_loop_in_a_branch, parsed_in_batches_of_a_dataset])
def test_what_a_function_leaves_at_its_default_stays_unspelt(tmp_path: Path, network: Any) -> None:
    def build() -> Any:
        examples = v1.placeholder(tf.string, [None], "examples")
        ids = tf.strings.to_hash_bucket_fast(network(examples), 9000)
        table = variable("table", np.linspace(-1, 1, 72000, dtype=np.float32).reshape(9000, 8))
        return {"examples": examples}, {"y": tf.reduce_mean(tf.gather(table, ids), 1)}
    source = servable(tmp_path, build, without_defaults=True)
    path, _ = slim(source, LOSSLESS)
    assert_same_answers(path, source, np.array([sequence("turn", "on"), sequence()], object))
    assert np.isfinite(answers(path, np.array([sequence("off")], object))["y"]).all()


def sequence(*words: str) -> bytes:
    example = tf.train.SequenceExample()
    for word in words:
        example.feature_lists.feature_list["words"].feature.add().bytes_list.value.append(word.encode())
    return example.SerializeToString()


class BreakFunctions(Transform):
    """Does `damage` to every function of a graph; an import of the graph sees nothing of it."""

    text_name, by, damage = "break_functions", "ours", staticmethod(lambda function: None)

    def rewrite(self, graph: Graph) -> None:
        for function in graph.library.function:
            self.damage(function)


def forget_a_node(function: Any) -> None:
    del function.node_def[0]


def declare_another_type(function: Any) -> None:
    function.signature.output_arg[-1].type = tf.complex64.as_datatype_enum


def compute_another_type(function: Any) -> None:
    for node in function.node_def:
        if "T" in node.attr:
            attributes.put(node, "T", tf.bfloat16)


@pytest.mark.parametrize("damage", [forget_a_node, declare_another_type, compute_another_type])
def test_a_function_that_would_not_load_is_never_published(tmp_path: Path, damage: Any) -> None:
    source = export(tmp_path, lambda x: tf.while_loop(
        lambda i, _: i < 5, lambda i, a: (i + 1, tf.tanh(a) * 2.0), (0, x))[1])
    breaking = type("Breaking", (BreakFunctions,), {"damage": staticmethod(damage)})()
    with pytest.raises(TransformError, match="not published, since it could not be loaded: .*function"):
        slim(source, [breaking], verify="off")
    assert sorted(p.name for p in tmp_path.iterdir()) == [Path(source).parent.name]
