"""What is known of operations, by TensorFlow's registry or by the functions of a graph."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework import function_pb2, node_def_pb2

import estimator_slim
from estimator_slim.graph import attribute, attributes, operations


def node(op: str, **attrs: Any) -> node_def_pb2.NodeDef:
    made = node_def_pb2.NodeDef(name="node", op=op)
    for key, value in attrs.items():
        made.attr[key].CopyFrom(attributes.encode(value))
    return made


def test_one_file_asks_the_registry() -> None:
    package = Path(estimator_slim.__file__).parent
    asking = [file.relative_to(package).as_posix() for file in package.rglob("*.py")
              if "op_def_registry" in file.read_text(encoding="utf-8")]
    assert asking == ["graph/_operations.py"]


def test_attributes_are_read_where_nothing_is_inserted_and_written_by_put_alone() -> None:
    """`node.attr[key]` of a node that lacks it adds an empty value, which no function may have."""
    package = Path(estimator_slim.__file__).parent
    inserting = [f"{file.relative_to(package).as_posix()}: {function.name}"
                 for file in sorted(package.rglob("*.py"))
                 for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
                 if isinstance(function, ast.FunctionDef)
                 for inside in ast.walk(function) if may_insert(inside)]
    assert inserting == ["graph/_attributes.py: put", "graph/_operations.py: attribute"]


def may_insert(code: ast.AST) -> bool:
    """`x.attr[...]`, `x.attr.get_or_create(...)`, or `y = x.attr`, which may hide these."""
    part = code.value if isinstance(code, (ast.Subscript, ast.Assign, ast.AnnAssign)) else None
    if isinstance(code, ast.Attribute) and code.attr == "get_or_create":
        part = code.value
    return isinstance(part, ast.Attribute) and part.attr == "attr"


def test_an_attribute_that_is_not_spelt_out_has_its_default_and_the_node_stays_as_it_is() -> None:
    norm, reduced = node("FusedBatchNormV3"), node("Sum", keep_dims=True)
    assert attribute(norm, "is_training").b and attribute(norm, "data_format").s == b"NHWC"
    assert attribute(reduced, "keep_dims").b
    assert not norm.attr and list(reduced.attr) == ["keep_dims"]


@pytest.mark.parametrize("op", ["MatMul", "my_function"])
def test_an_attribute_that_an_operation_does_not_have_is_empty(op: str) -> None:
    made = node(op)
    assert attribute(made, "is_training") == tf.compat.v1.AttrValue() and not made.attr


@pytest.mark.parametrize("op, attrs", [
    ("Assign", {"T": tf.float32}), ("AssignVariableOp", {"dtype": tf.float32}),
    ("Identity", {"T": tf.resource}), ("While", {"T": [tf.resource]}), ("my_function", {})])
def test_what_may_change_its_input_takes_no_values(op: str, attrs: dict) -> None:
    assert not operations.takes_values(node(op, **attrs))


@pytest.mark.parametrize("op, attrs", [("MatMul", {"T": tf.float32}), ("Identity", {"T": tf.int32})])
def test_what_cannot_change_its_input_takes_values(op: str, attrs: dict) -> None:
    assert operations.takes_values(node(op, **attrs))


def test_the_outputs_of_an_operation_are_counted_and_typed() -> None:
    split = node("Split", T=tf.int64, num_split=3)
    csv = node("DecodeCSV", OUT_TYPE=[tf.string, tf.int32])
    assert operations.output_types(split, {}) == [tf.int64] * 3
    assert operations.output_types(csv, {}) == [tf.string, tf.int32]
    assert operations.output_types(node("VariableShape"), {}) == [tf.int32]  # by default
    assert (operations.counted_outputs(split), operations.counted_outputs(csv)) == (3, 0)


def test_the_outputs_of_a_function_are_those_that_it_declares() -> None:
    function = function_pb2.FunctionDef()
    function.signature.name = "my_function"
    for number, dtype in enumerate((tf.string, tf.bool)):
        function.signature.output_arg.add(name=f"o{number}", type=dtype.as_datatype_enum)
    call = node("my_function")
    assert operations.output_types(call, {"my_function": function}) == [tf.string, tf.bool]
    assert operations.output_types(call, {}) == []
