"""A graph that TensorFlow would refuse, or stumble over, is refused with what is wrong and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from estimator_slim import optimize_saved_model
from tests.hostile.damage import assert_refused, edit, node_of
from tests.support.alike import assert_same_answers
from tests.support.by_hand import answers


def add(meta_graph: Any, op: str, name: str, *inputs: str, **types: Any) -> Any:
    node = meta_graph.graph_def.node.add(op=op, name=name, input=inputs)
    for key, value in types.items():
        node.attr[key].type = value.as_datatype_enum
    return node


def first_input(meta_graph: Any, op: str, name: str) -> None:
    node_of(meta_graph, op).input[0] = name


def relu(meta_graph: Any) -> Any:
    return node_of(meta_graph, "Relu")


def again(meta_graph: Any) -> None:
    meta_graph.graph_def.node.add().CopyFrom(relu(meta_graph))


def unknown_op(meta_graph: Any) -> None:
    for number in range(7):
        add(meta_graph, f"MyOwnOp{number}", f"mine{number}")


def unknown_op_in_a_function(meta_graph: Any) -> None:
    function = meta_graph.graph_def.library.function.add()
    function.signature.name = "f"
    function.node_def.add(op="MyOwnOp", name="mine")
    add(meta_graph, "f", "call")


def loop(meta_graph: Any, *ops: str) -> None:
    """A ring of nodes that read one another."""
    for number, op in enumerate(ops):
        add(meta_graph, op, f"ring{number}", f"ring{number - 1 if number else len(ops) - 1}",
            T=tf.float32)


DAMAGE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "the same name twice": (again, "two nodes of its graph have the same name, 'dnn/"),
    "an input of no node": (lambda m: first_input(m, "Relu", "nobody"),
                            "reads 'nobody', which is not in the graph"),
    "a control input of no node": (lambda m: relu(m).input.append("^nobody"),
                                   r"reads '\^nobody', which is not in the graph"),
    "an output that no node has": (lambda m: first_input(m, "Relu", relu(m).input[0] + ":7"),
                                   "TensorFlow .* does not accept its graph .*invalid output 7"),
    "an output beyond numbers": (lambda m: first_input(m, "Relu", "global_step:" + "9" * 30),
                                 "reads 'global_step:9*', which names no tensor"),
    "a negative output": (lambda m: first_input(m, "Relu", "global_step:-1"), "names no tensor"),
    "no output's number": (lambda m: first_input(m, "Relu", "global_step:x"), "names no tensor"),
    "an empty input": (lambda m: first_input(m, "Relu", ""), "reads '', which names no tensor"),
    "two colons": (lambda m: first_input(m, "Relu", "a:0:0"), "names no tensor"),
    "a control input in front": (lambda m: relu(m).input.insert(0, "^global_step"),
                                 "does not accept its graph .*Control dependencies"),
    "one input too few": (lambda m: relu(m).input.pop(), "does not accept .*expected inputs"),
    "one input too many": (lambda m: relu(m).input.append("global_step"), "does not accept .*inputs"),
    "another type than its input": (lambda m: relu(m).attr["T"].CopyFrom(
        tf.compat.v1.AttrValue(type=tf.int32.as_datatype_enum)), "does not accept .*expected"),
    "a type that there is not": (lambda m: setattr(relu(m).attr["T"], "type", 999), "does not accept"),
    "no type": (lambda m: relu(m).attr.clear(), "does not accept its graph .*attr"),
    "no name": (lambda m: add(m, "NoOp", ""), "does not accept its graph"),
    "a name with a space": (lambda m: add(m, "NoOp", "a b"), "does not accept its graph .*'a b'"),
    "a name with a colon": (lambda m: add(m, "NoOp", "a:0"), "does not accept its graph"),
    "a node that reads itself": (lambda m: loop(m, "Relu"), "does not accept .*cycle"),
    "a ring": (lambda m: loop(m, "Relu", "Identity", "Abs"), "does not accept .*cycle"),
    "a ring of control inputs": (lambda m: (add(m, "NoOp", "c", "^d"), add(m, "NoOp", "d", "^c")),
                                 "does not accept .*cycle"),
    "a ring with a Merge and no NextIteration": (
        lambda m: (loop(m, "Merge", "Relu"), add(m, "Const", "x")), "does not accept"),
    "operations of another library": (
        unknown_op, "operations MyOwnOp0, .*MyOwnOp4 and 2 more, which TensorFlow .* does not know"
                    ".*in --slim_imports .*or import the library that defines them"),
    "such in a function": (unknown_op_in_a_function, "operations MyOwnOp, which"),
    "a graph from the future": (lambda m: setattr(m.graph_def.versions, "min_consumer", 10**6),
                                "does not accept its graph"),
    "a place beside nobody": (lambda m: relu(m).attr["_class"].list.s.append(b"loc:@nobody"),
                              "does not accept its graph .*nobody"),
    "a function under an operation's name": (
        lambda m: setattr(m.graph_def.library.function.add().signature, "name", "Relu"),
        "does not accept its graph"),
    "two functions of one name": (
        lambda m: [setattr(m.graph_def.library.function.add().signature, "name", n) for n in "ff"],
        "two of its functions have the same name; export it again"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_graph_that_tensorflow_would_refuse_is_refused(source: Path, damage: str) -> None:
    inflict, message = DAMAGE[damage]
    edit(source, inflict)
    assert_refused(source, f"source: .*{message}")


def signature(meta_graph: Any) -> Any:
    return meta_graph.signature_def["serving_default"]


def rename(infos: Any, name: str) -> None:
    next(iter(infos.values())).name = name


NAMES = {"^global_step": "expected `node` or `node:output`", "": "", ":0": "expected `node`",
         "a:b": "expected `node`", "nobody:0": "not in the graph", "global_step:9": "no output 9",
         "global_step:-1": "expected `node`", "a b": "expected `node`",
         "save/restore_all:0": "no output 0", "save/restore_all": "no output 0"}


@pytest.mark.parametrize("name", [n for n in NAMES if n], ids=ascii)
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_a_signature_that_names_no_tensor_is_refused(source: Path, name: str, side: str) -> None:
    edit(source, lambda m: rename(getattr(signature(m), side), name))
    assert_refused(source, f"source: the {side[:-1]} '.*' of its signature 'serving_default' is "
                           f".*{NAMES[name]}")


def test_a_sparse_input_that_names_no_tensor_is_refused(source: Path) -> None:
    def make_sparse(meta_graph: Any) -> None:
        info = next(iter(signature(meta_graph).inputs.values()))
        info.coo_sparse.values_tensor_name = "nobody:0"
    edit(source, make_sparse)
    assert_refused(source, "the input '.*' of its signature .*'nobody', which is not in the graph")


COLLECTIONS = {
    "its init op": "saved_model_main_op", "its init op ": "legacy_init_op",
    "its collection of table initializers": "table_initializer"}


@pytest.mark.parametrize("what", COLLECTIONS)
@pytest.mark.parametrize("name", ["nobody", "a:b", "", "^global_step", "two words"])
def test_a_collection_that_names_no_node_is_refused(source: Path, what: str, name: str) -> None:
    def list_it(meta_graph: Any) -> None:
        meta_graph.collection_def[COLLECTIONS[what]].node_list.value.append(name)
    edit(source, list_it)
    assert_refused(source, f"source: {what.strip()} is .*(expected `node`|not in the graph).*xport it")


@pytest.mark.parametrize("packed", [
    {"type_url": "type.googleapis.com/tensorflow.AssetFileDef", "value": b"\xff\xff\xff"},
    {"type_url": "type.googleapis.com/tensorflow.NodeDef", "value": b""}, {"value": b"noise"}], ids=str)
def test_a_list_of_assets_of_noise_is_refused(source: Path, packed: dict) -> None:
    def spoil(meta_graph: Any) -> None:
        assets = meta_graph.collection_def["saved_model_assets"].any_list
        assets.value.add(**packed)
    edit(source, spoil)
    assert_refused(source, "source: its list of assets is damaged .*export it again")


def test_collections_that_loading_does_not_read_may_hold_noise(source: Path, tmp_path: Path) -> None:
    def spoil(meta_graph: Any) -> None:
        for key in list(meta_graph.collection_def):
            if not key.startswith(("saved_model", "table_init", "legacy_init")):
                meta_graph.collection_def[key].bytes_list.value.append(b"\xff\0noise")
    edit(source, spoil)
    optimize_saved_model(source, tmp_path / "slim")
    assert (tmp_path / "slim/saved_model.pb").exists()


@pytest.mark.parametrize("name", ["nobody", "nobody:0", "^", "a:b"])
def test_a_saver_that_names_no_node_is_refused(source: Path, name: str) -> None:
    edit(source, lambda m: setattr(m.saver_def, "restore_op_name", name))
    assert_refused(source, "source: its saver is .*(not in the graph|expected `node`)")


def constant(meta_graph: Any, node: Any, index: int) -> Any:
    """The tensor of the Const that `node` reads."""
    name = node.input[index].split(":")[0]
    found = next(n for n in meta_graph.graph_def.node if n.name == name)
    return found.attr["value"].tensor


def restore_keys(meta_graph: Any, **values: Any) -> None:
    for index, key in ((1, "names"), (2, "slices")):
        if key in values:
            restore = node_of(meta_graph, "RestoreV2")
            proto = constant(meta_graph, restore, index)
            proto.CopyFrom(tf.make_tensor_proto(values[key](tf.make_ndarray(proto))))


@pytest.mark.parametrize(("change", "message"), [
    ({"names": lambda old: np.array([b"not there"] * len(old), object)}, "has no tensor 'not there'"),
    ({"names": lambda old: np.array([b"\xff\xfe"] * len(old), object)},
     "restore op 'save/RestoreV2' names no tensor of a checkpoint for its output"),
    ({"names": lambda old: old[::-1]}, "They are not of the same export"),
    ({"names": lambda old: old[:1]}, "does not accept its graph"),
    ({"names": lambda old: np.array(b"scalar", object)}, "does not accept its graph"),
    ({"slices": lambda old: np.array([b"9 9 5,9:-"] * len(old), object)}, "does not accept its graph"),
    ({"slices": lambda old: np.array([b"\xff"] * len(old), object)}, "does not accept its graph"),
    ({"slices": lambda old: np.array([b"300 4 0,300:0,4"] * len(old), object)},
     "does not accept its graph"),
], ids=["missing", "no text", "reversed", "too few", "no list", "outside", "noise", "all alike"])
def test_a_restore_op_that_does_not_fit_the_checkpoint_is_refused(
        source: Path, change: dict, message: str) -> None:
    edit(source, lambda m: restore_keys(m, **change))
    assert_refused(source, message)


def test_the_loops_and_branches_of_tensorflow_1_are_legal(exported: Any, tmp_path: Path) -> None:
    original = exported("control_flow_switch_merge")
    optimize_saved_model(original, tmp_path / "slim")
    x = np.array([[1.0, -2.0, 3.0]], np.float32)
    for key, value in answers(original, {"x": x}).items():
        np.testing.assert_allclose(answers(str(tmp_path / "slim"), {"x": x})[key], value, rtol=1e-6)


def call(meta_graph: Any, calls: dict[str, list[str]], op: str = "") -> None:
    """Adds functions that call others, each on its own input, and lets the model's Relu call `f0`."""
    def make_call(node: Any, called: str) -> str:
        node.op = op or called
        if op:
            node.attr["f"].func.name = called
            for key in ("Tin", "Tout"):
                node.attr[key].list.type.append(1)
        return "output" if op else "y"

    for name, called in calls.items():
        function = meta_graph.graph_def.library.function.add()
        function.signature.name = name
        function.signature.input_arg.add(name="x", type=1)
        function.signature.output_arg.add(name="y", type=1)
        function.ret["y"] = "x"
        for number, one in enumerate(called):
            node = function.node_def.add(name=f"call{number}", input=["x"])
            function.ret["y"] = f"call{number}:{make_call(node, one)}:0"
    node = relu(meta_graph)
    node.attr.clear()
    make_call(node, "f0")


CALLS = {
    "itself": ({"f0": ["f0"]}, "function 'f0' calls itself, or one that does"),
    "each other": ({"f0": ["f1"], "f1": ["f2"], "f2": ["f0"]}, "function 'f.' calls itself"),
    "a deep chain": ({f"f{n}": [f"f{n + 1}"] for n in range(5000)}, "expected at most .* 100 functions"),
    "the next one twice": ({f"f{n}": [f"f{n + 1}"] * 2 for n in range(40)},
                           "stands for .* nodes.*expected at most 200,000 nodes"),
}


@pytest.mark.parametrize("op", ["", "PartitionedCall", "StatefulPartitionedCall"])
@pytest.mark.parametrize("kind", CALLS)
def test_functions_that_call_without_end_are_refused(source: Path, kind: str, op: str) -> None:
    calls, message = CALLS[kind]
    last = f"f{len(calls)}"
    if all(last != name for name in calls):
        calls = {**calls, last: []}
    edit(source, lambda m: call(m, calls, op))
    assert_refused(source, f"source: .*{message}")


def as_text(source: Path, text: str) -> None:
    (source / "saved_model.pb").unlink()
    (source / "saved_model.pbtxt").write_text(text, encoding="utf-8")


DEEP = 20_000


@pytest.mark.parametrize("text", [
    "meta_graphs { collection_def { value { any_list { value { value: '' " * DEEP,
    "meta_graphs { signature_def { value { inputs { value { " + "composite_tensor { components {" * DEEP,
    "meta_graphs { graph_def { node { attr { value { func { " + "attr { value { func {" * DEEP,
    "(" * DEEP, "[" * DEEP, "{" * DEEP, "meta_graphs <" * DEEP,
], ids=["open", "composites", "functions", "(", "[", "{", "<"])
def test_text_nested_without_end_is_refused(source: Path, text: str) -> None:
    as_text(source, text)
    assert_refused(source, "source: its saved_model file is damaged")


def test_attributes_nested_as_deep_as_a_file_can_are_refused_or_kept(
        source: Path, tmp_path: Path) -> None:
    text = text_format.MessageToString(saved_model_pb2.SavedModel.FromString(
        (source / "saved_model.pb").read_bytes()))
    nested = "attr { key: '_x' value { " + "func { name: 'f' attr { key: '_x' value { " * 30 + "i: 1"
    nested += " } } }" * 30 + " } }"
    as_text(source, text.replace('op: "Relu"', f'op: "Relu" {nested}', 1))
    optimize_saved_model(source, tmp_path / "slim")
    assert_same_answers(str(tmp_path / "slim"), str(source))
