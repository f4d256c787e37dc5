"""The renaming transforms and remove_attribute: servables that load and answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.errors import OptionError, TransformError
from estimator_slim.graph import names
from estimator_slim.transforms import TRANSFORMS
from tests.support.alike import assert_same_answers
from tests.support.ask import served
from tests.support.by_hand import (
    answers,
    meta_graph,
    reasons,
    request_nodes,
    request_ops,
    servable,
    slim,
    stored,
    v1,
    variable,
)

X = np.random.default_rng(4).normal(size=(2, 3)).astype(np.float32)
KERNEL = np.random.default_rng(3).normal(size=(3, 4)).astype(np.float32)
TABLE = np.random.default_rng(3).normal(size=(40_000, 8)).astype(np.float32)  # over 256 KiB: a variable
WORDS = np.array([b"on", b"turn", b"new"], object)


def dense() -> Any:
    x = v1.placeholder(tf.float32, [None, 3], "x")
    y = tf.nn.relu(tf.matmul(x, variable("deep/kernel", KERNEL), name="deep/product"), name="deep/relu")
    return {"x": x}, {"y": tf.identity(y, "head/scores"), "double": y * 2.0}


def vocabulary(folder: Path) -> Callable[[], Any]:
    """Words → ids by an asset, ids → rows of a large table."""
    def network() -> Any:
        path = folder / "words.txt"
        path.write_text("turn\non\n", encoding="utf-8")
        words = v1.placeholder(tf.string, [None], "words")
        ids = v1.lookup.StaticHashTable(tf.lookup.TextFileInitializer(
            str(path), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER), 7).lookup(words)
        return {"words": words}, {"ids": ids, "rows": tf.gather(variable("table", TABLE), ids)}
    return network


def load_names(directory: str) -> dict[str, list[str]]:
    graph = meta_graph(directory)
    found = {key: list(graph.collection_def[key].node_list.value)
             for key in ("saved_model_main_op", "table_initializer")}
    found["assets"] = []
    for packed in graph.collection_def["saved_model_assets"].any_list.value:
        asset = meta_graph_pb2.AssetFileDef()
        packed.Unpack(asset)
        found["assets"].append(asset.tensor_info.name)
    return found


@pytest.mark.parametrize("old", ["x", "head/scores", "deep/product", "deep/relu"])
def test_signatures_follow_a_renamed_node(tmp_path: Path, old: str) -> None:
    source = servable(tmp_path, dense)
    path, _ = slim(source, f"rename_node(old_node_name={old}, new_node_name=new/name)")
    assert {"new/name"} == ({n.name for n in request_nodes(path)}
                            - {n.name for n in request_nodes(source)} - {"deep/kernel"})
    assert old not in {n.name for n in request_nodes(path)}
    assert_same_answers(path, source, {"x": X}, {"x": X[:0]})


def test_sparse_inputs_follow_a_renamed_node(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.sparse_placeholder(tf.float32, [None, 3], "x")
        return {"x": x}, {"y": tf.sparse.to_dense(x)}

    source = servable(tmp_path, network)
    path, _ = slim(source, "rename_node(old_node_name=x/values, new_node_name=numbers)")
    assert meta_graph(path).signature_def["serving_default"].inputs["x"].coo_sparse.values_tensor_name \
        == "numbers:0"
    request = v1.SparseTensorValue([[0, 1], [1, 0]], np.array([1.5, 2.5], np.float32), [2, 3])
    assert_same_answers(path, source, {"x": request})


@pytest.mark.parametrize("role", ["saved_model_main_op", "table_initializer", "assets"])
def test_loading_follows_a_renamed_node(tmp_path: Path, role: str) -> None:
    source = servable(tmp_path, vocabulary(tmp_path))
    (tmp_path / "words.txt").unlink()  # only the asset is left
    [old] = map(names.node_of, load_names(source)[role])
    path, _ = slim(source, f"rename_node(old_node_name={old}, new_node_name=renamed)")
    assert [names.node_of(name) for name in load_names(path)[role]] == ["renamed"]
    assert_same_answers(path, source, {"words": WORDS})
    assert answers(path, {"words": WORDS})["ids"].tolist() == [1, 0, 7]


def test_a_renamed_variable_keeps_its_value(tmp_path: Path) -> None:
    source = servable(tmp_path, vocabulary(tmp_path))
    path, _ = slim(source, "rename_node(old_node_name=table, new_node_name=rows_of_words)")
    assert {n.name for n in request_nodes(path) if n.op == "VarHandleOp"} == {"rows_of_words"}
    assert_same_answers(path, source, {"words": WORDS})


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match="another node is called 'head/scores' already"):
        slim(servable(tmp_path, dense), "rename_node(old_node_name=x, new_node_name=head/scores)")


def test_without_a_node_of_the_name_nothing_changes_and_the_report_says_so(tmp_path: Path) -> None:
    source = servable(tmp_path, dense)
    path, report = slim(source, "rename_node(old_node_name=gone, new_node_name=new)")
    assert "there is no node of this name" in reasons(report)
    assert Path(path, "saved_model.pb").read_bytes() == Path(slim(source, "")[0],
                                                             "saved_model.pb").read_bytes()


def test_obfuscated_servables_load_and_answer_under_the_same_keys(tmp_path: Path) -> None:
    source = servable(tmp_path, vocabulary(tmp_path))
    path, _ = slim(source, "obfuscate_names")
    kept = {names.node_of(info.name) for s in served(meta_graph(path)).values()
            for info in (*s.inputs.values(), *s.outputs.values())}
    kept |= {names.node_of(name) for role in load_names(path).values() for name in role}
    long = {n.name for n in meta_graph(path).graph_def.node if len(n.name) > 2}
    assert {name for name in long - kept if not name.startswith("save/")} == set()
    assert load_names(path) == load_names(source)
    assert_same_answers(path, source, {"words": WORDS})


def test_obfuscated_servables_do_not_tell_the_names_of_variables(tmp_path: Path) -> None:
    path, _ = slim(servable(tmp_path, vocabulary(tmp_path)), "obfuscate_names")
    [key] = stored(path)
    assert len(key) <= 2
    np.testing.assert_array_equal(stored(path)[key], TABLE)


def test_no_short_name_is_one_that_a_signature_needs(tmp_path: Path) -> None:
    def network() -> Any:
        inputs = {str(n): v1.placeholder(tf.float32, [], str(n)) for n in range(5)}
        return inputs, {"sum": tf.add_n(list(inputs.values())) * 2.0 + 1.0}

    source = servable(tmp_path, network)
    path, _ = slim(source, "obfuscate_names")
    assert_same_answers(path, source, {str(n): np.float32(n) for n in range(5)})


def test_a_renamed_operation_answers_as_the_new_one(tmp_path: Path) -> None:
    source = servable(tmp_path, dense)
    path, _ = slim(source, "rename_op(old_op_name=Relu, new_op_name=Relu6)")
    assert request_ops(path)["Relu"] == 0
    np.testing.assert_array_equal(answers(path, {"x": X * 10})["y"],
                                  np.minimum(answers(source, {"x": X * 10})["y"], 6.0))


def test_operations_in_loops_are_renamed_too(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        return {"x": x}, {"y": tf.while_loop(
            lambda i, _: i < 2, lambda i, v: (i + 1, tf.nn.relu(v) + 4.0), [0, x])[1]}

    path, _ = slim(servable(tmp_path, network), "rename_op(old_op_name=Relu, new_op_name=Relu6)")
    assert answers(path, {"x": [-1.0, 9.0]})["y"].tolist() == [8.0, 10.0]


@pytest.mark.parametrize("transforms, message", [
    ("rename_op(old_op_name=Relu, new_op_name=Relo)",
     "'deep/relu' would be of the operation 'Relo', which TensorFlow does not know"),
    ("rename_op(old_op_name=Relu, new_op_name=MatMul)", "not valid any more"),
    ("rename_op(old_op_name=Relu, new_op_name=Cast)", "which Cast does not know"),
    ("remove_attribute(attribute_name=T)", "would lack the attribute 'T'"),
    ("remove_attribute(attribute_name=value)", "would lack the attribute 'value', which Const needs"),
    ("rename_attribute(old_attribute_name=T, new_attribute_name=kind, op_name=Relu)",
     "'deep/relu' would have the attribute 'kind', which Relu does not know"),
])
def test_a_change_that_tensorflow_would_not_load_is_an_error_that_names_the_node(
        tmp_path: Path, transforms: str, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        slim(servable(tmp_path, dense), transforms)


def test_attributes_go_from_the_nodes_that_are_named(tmp_path: Path) -> None:
    source = servable(tmp_path, dense)
    path, _ = slim(source, "add_default_attributes remove_attribute(attribute_name=transpose_a, "
                           "op_name=MatMul) rename_attribute(old_attribute_name=transpose_b, "
                           "new_attribute_name=_note)")
    [product] = [n for n in meta_graph(path).graph_def.node if n.op == "MatMul"]
    assert "transpose_a" not in product.attr
    assert "_note" in product.attr
    assert_same_answers(path, source, {"x": X})


def test_a_variable_that_requests_change_keeps_its_value_without_a_shared_name(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [], "x")
        count = v1.get_variable("count", initializer=40.0, use_resource=True)
        return {"x": x}, {"count": tf.raw_ops.Identity(input=count.assign_add(x))}

    source = servable(tmp_path, network)
    path, _ = slim(source, "rename_node(old_node_name=count, new_node_name=number) "
                           "remove_attribute(attribute_name=shared_name)")
    assert list(stored(path)) == ["number"]
    assert_same_answers(path, source, {"x": 2.0}, {"x": 3.0})


@pytest.mark.parametrize("name, options", [
    ("rename_node", {}), ("rename_node", {"old_node_name": "a"}),
    ("rename_node", {"old_node_name": "a", "new_node_name": "b c"}),
    ("rename_node", {"old_node_name": "a", "new_node_name": "a:0"}),
    ("rename_op", {}), ("rename_op", {"old_op_name": "Relu"}), ("rename_op", {"new_op_name": "Relu"}),
    ("remove_attribute", {}), ("remove_attribute", {"op_name": "Relu"}),
    ("rename_attribute", {}), ("rename_attribute", {"old_attribute_name": "T"}),
    ("set_device", {"device": 'a"b'}), ("rename_op", {"old_op_name": "a\\", "new_op_name": "b"}),
], ids=str)
def test_a_name_that_is_missing_or_impossible_is_an_error_at_construction(
        name: str, options: dict[str, str]) -> None:
    with pytest.raises(OptionError, match=name):
        TRANSFORMS[name](**options)
