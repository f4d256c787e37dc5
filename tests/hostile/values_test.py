"""Shapes and sizes that a graph declares are not believed before they are found to be true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import optimize_saved_model
from estimator_slim.graph import attributes
from tests.hostile.damage import assert_refused, bounded_memory, edit, node_of
from tests.support.alike import assert_same_answers
from tests.support.by_hand import servable, slim

TensorProto = tf.compat.v1.NodeDef.AttrEntry.DESCRIPTOR.fields_by_name["value"].message_type \
    .fields_by_name["tensor"].message_type._concrete_class


def tensor(dtype: tf.DType, *shape: int, **fields: Any) -> Any:
    proto = TensorProto(dtype=dtype.as_datatype_enum, **fields)
    proto.tensor_shape.SetInParent()
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def unknown_rank() -> Any:
    proto = tensor(tf.float32, float_val=[1.0])
    proto.tensor_shape.unknown_rank = True
    return proto


def packed(*lengths: int, content: bytes = b"") -> bytes:
    return bytes(lengths) + content


TOO_MANY = "more than 2,147,483,648 bytes"
UNSOUND: dict[str, tuple[Any, str]] = {
    "2**40 numbers of one": (tensor(tf.float32, 1 << 40, float_val=[1.0]), TOO_MANY),
    "2**40 of none": (tensor(tf.int64, 1 << 20, 1 << 20), TOO_MANY),
    "2**31 strings": (tensor(tf.string, 1 << 31, string_val=[b"a"]), TOO_MANY),
    "2**40 handles": (tensor(tf.resource, 1 << 40), TOO_MANY),
    "2**40 variants": (tensor(tf.variant, 1 << 40), TOO_MANY),
    "a product past 2**64": (tensor(tf.float32, *[1 << 40] * 4, float_val=[1.0]), TOO_MANY),
    "a product of 2**64": (tensor(tf.float32, 1 << 32, 1 << 32, float_val=[1.0]), TOO_MANY),
    "a size past 2**62": (tensor(tf.float32, 0, (1 << 63) - 1), "no tensor has the shape"),
    "300 axes": (tensor(tf.float32, *[1] * 300, float_val=[1.0]), "no tensor has the shape"),
    "a negative size": (tensor(tf.float32, -1, float_val=[1.0]), r"shape \[-1\] is not that of a value"),
    "two negative sizes": (tensor(tf.float32, -2, -2, float_val=[1.0] * 4), "is not that of a value"),
    "no rank": (unknown_rank(), "is not that of a value"),
    "too few bytes": (tensor(tf.float32, 3, tensor_content=b"12345678"), "8 bytes do not make"),
    "too many bytes": (tensor(tf.float32, 1, tensor_content=b"12345678"), "8 bytes do not make"),
    "bytes of half a number": (tensor(tf.float64, 1, tensor_content=b"1234567"), "7 bytes do not make"),
    "bytes for nothing": (tensor(tf.float32, 0, tensor_content=b"1234"), "4 bytes do not make"),
    "too many numbers": (tensor(tf.float32, 2, float_val=[1.0] * 3), "lists 3 values for the shape"),
    "too many strings": (tensor(tf.string, string_val=[b"a", b"b"]), "lists 2 values for the shape"),
    "too few strings": (tensor(tf.string, 2, tensor_content=packed(1, content=b"a")), "not make 2"),
    "strings cut short": (tensor(tf.string, 2, tensor_content=packed(1, 9)), "not make 2"),
    "strings left over": (tensor(tf.string, 1, tensor_content=packed(1, content=b"abc")), "not make 1"),
    "a length without end": (tensor(tf.string, 1, tensor_content=b"\xff" * 99_999), "has no end"),
    "many strings of nothing": (tensor(tf.string, 1 << 24, tensor_content=b"\0"), "not make 16777216"),
    "a type that there is not": (TensorProto(dtype=999), "damaged: .*999"),
    "no type": (TensorProto(), "damaged"),
}


def put_constant(proto: Any) -> Callable[[Any], None]:
    def put(meta_graph: Any) -> None:
        node = meta_graph.graph_def.node.add(op="Const", name="evil")
        node.attr["dtype"].type = proto.dtype
        node.attr["value"].tensor.CopyFrom(proto)
    return put


def put_in_function(proto: Any) -> Callable[[Any], None]:
    def put(meta_graph: Any) -> None:
        function = meta_graph.graph_def.library.function.add()
        function.signature.name = "f"
        function.node_def.add(op="Const", name="evil").attr["value"].tensor.CopyFrom(proto)
    return put


def put_in_list(proto: Any) -> Callable[[Any], None]:
    def put(meta_graph: Any) -> None:
        node = meta_graph.graph_def.node.add(op="NoOp", name="evil")
        node.attr["_x"].list.tensor.add().CopyFrom(proto)
    return put


PLACES = [(kind, put_constant) for kind in UNSOUND] + [
    (kind, put) for kind in ("2**40 numbers of one", "strings cut short")
    for put in (put_in_function, put_in_list)]


@pytest.mark.parametrize(("kind", "put"), PLACES)
def test_a_value_that_is_not_what_it_declares_is_refused(source: Path, kind: str, put: Any) -> None:
    proto, message = UNSOUND[kind]
    edit(source, put(proto))
    assert_refused(source, f"source: .*'evil'.*{message}|source: .*{message}.*'evil'")


def test_many_values_that_are_large_together_are_refused(source: Path) -> None:
    def put(meta_graph: Any) -> None:
        for number in range(40):
            node = meta_graph.graph_def.node.add(op="Const", name=f"evil{number}")
            node.attr["dtype"].type = 1
            node.attr["value"].tensor.CopyFrom(tensor(tf.float32, 1 << 24, float_val=[1.0]))
    edit(source, put)
    assert_refused(source, "its constants declare more than .*node 'evil31' has the shape")


SOUND = {
    "one number for many": tensor(tf.float32, 3, float_val=[7.0]),
    "the last of two for many": tensor(tf.int32, 4, int_val=[7, 8]),
    "none for zeros": tensor(tf.float64, 2),
    "complex": tensor(tf.complex64, 2, scomplex_val=[1.0, 2.0, 3.0, 4.0]),
    "half": tensor(tf.float16, 2, half_val=[15360, 0]),
    "bytes": tensor(tf.uint16, 2, tensor_content=b"\1\0\2\0"),
    "packed strings": tensor(tf.string, 2, tensor_content=packed(1, 2, content=b"abc")),
    "empty": tensor(tf.string, 0),
    "a handle": tensor(tf.resource, resource_handle_val=[{"name": "x"}]),
}


@pytest.mark.parametrize("kind", SOUND)
def test_every_way_to_write_a_value_is_taken(source: Path, tmp_path: Path, kind: str) -> None:
    edit(source, put_constant(SOUND[kind]))
    optimize_saved_model(source, tmp_path / "slim")
    assert (tmp_path / "slim/saved_model.pb").exists()


def test_packed_strings_are_read_as_they_were_packed() -> None:
    node = tf.compat.v1.NodeDef(op="Const")
    long = b"x" * 300
    node.attr["value"].tensor.CopyFrom(
        tensor(tf.string, 1, 2, tensor_content=b"\1\xac\2a" + long))
    np.testing.assert_array_equal(attributes.constant(node), np.array([[b"a", long]], object))


def test_strings_that_are_not_spelled_out_are_the_last_one_or_empty() -> None:
    node = tf.compat.v1.NodeDef(op="Const")
    for listed, every in (([], [b""] * 3), ([b"a"], [b"a"] * 3), ([b"a", b"bc"], [b"a", b"bc", b"bc"])):
        node.attr["value"].tensor.CopyFrom(tensor(tf.string, 3, string_val=listed))
        assert attributes.constant(node).tolist() == every  # type: ignore[union-attr]
    node.attr["value"].tensor.CopyFrom(tensor(tf.string, string_val=[b"a"]))
    assert attributes.constant(node).item() == b"a"  # type: ignore[union-attr]


@pytest.mark.parametrize("dims", [[1 << 40], [1 << 40] * 4, [-5], [0, 1 << 62], [1] * 300], ids=str)
@pytest.mark.parametrize("op", ["VarHandleOp", "Placeholder"])
def test_a_declared_shape_takes_no_memory_and_no_sense_from_the_rest(
        source: Path, tmp_path: Path, op: str, dims: list[int]) -> None:
    def declare(meta_graph: Any) -> None:
        shape = node_of(meta_graph, op).attr["shape"].shape
        shape.Clear()
        for size in dims:
            shape.dim.add(size=size)
    original = tmp_path / "original"
    source.rename(original)
    edit(original, declare)
    with bounded_memory():
        try:
            optimize_saved_model(original, tmp_path / "slim")
        except Exception as e:  # which error it may be, the next line says
            assert type(e).__name__ in ("SourceError", "TransformError"), e
            assert not (tmp_path / "slim").exists()
        else:
            assert_same_answers(str(tmp_path / "slim"), str(original))


@pytest.mark.parametrize("shape", [[0], [3, 0]])
def test_what_is_listed_for_a_shape_of_nothing_is_no_damage(tmp_path: Path, shape: list[int]) -> None:
    """tf.zeros(shape, tf.string) lists one string."""
    def network() -> Any:
        x = tf.compat.v1.placeholder(tf.string, [None, *shape[1:]])
        return {"x": x}, {"y": tf.concat([x, tf.zeros(shape, tf.string)], 0)}
    original = servable(tmp_path, network)
    path, _ = slim(original, "fold_constants merge_duplicate_nodes")
    assert_same_answers(path, original, {"x": np.full([2, *shape[1:]], b"a", object)})
