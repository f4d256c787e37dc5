"""Python values as AttrValue protos, and back where a transform reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, node_def_pb2, tensor_pb2

from estimator_slim.graph import _operations as operations
from estimator_slim.graph.packed_strings import unpacked_strings


def encode(value: Any) -> attr_value_pb2.AttrValue:
    """The AttrValue of a bool, int, float, str, DType, TensorShape, ndarray, or a list of these."""
    result = attr_value_pb2.AttrValue()
    if isinstance(value, attr_value_pb2.AttrValue):
        result.CopyFrom(value)
    elif isinstance(value, tf.DType):
        result.type = value.as_datatype_enum
    elif isinstance(value, tf.TensorShape):
        result.shape.CopyFrom(value.as_proto())
    elif isinstance(value, (np.ndarray, np.generic)):
        result.tensor.CopyFrom(tf.make_tensor_proto(value))
    elif isinstance(value, bool):
        result.b = value
    elif isinstance(value, int):
        result.i = value
    elif isinstance(value, float):
        result.f = value
    elif isinstance(value, (str, bytes)):
        result.s = tf.compat.as_bytes(value)
    elif isinstance(value, list):
        _encode_list(value, result.list)
    else:
        raise TypeError(f"no AttrValue holds a {type(value).__name__}")
    return result


def put(node: node_def_pb2.NodeDef, key: str, value: Any) -> None:
    """Gives `node` the attribute `key`, of a value that `encode` takes."""
    node.attr[key].CopyFrom(encode(value))


def _encode_list(values: list, result: attr_value_pb2.AttrValue.ListValue) -> None:
    result.SetInParent()
    for value in values:
        one = encode(value)
        kind = one.WhichOneof("value")
        getattr(result, kind).extend([getattr(one, kind)])


def dtype(node: node_def_pb2.NodeDef, key: str) -> tf.DType:
    """The type that attribute `key` of `node` names."""
    return tf.dtypes.as_dtype(operations.attribute(node, key).type)


def spell_unset(nodes: Iterable[node_def_pb2.NodeDef]) -> None:
    """Drops attributes without a value, which reading `node.attr[key]` of a node that lacks it leaves.

    An empty list may be spelt so in a graph; in a function TensorFlow does not take that, so it is
    spelt as a list.
    """
    for node in nodes:
        unset = unset_attributes(node)
        lists = operations.list_attributes(node.op) if unset else ()
        for key in unset:
            if key in lists:
                put(node, key, [])
            else:
                node.attr.pop(key)


def unset_attributes(node: node_def_pb2.NodeDef) -> list[str]:
    """The attributes of `node` that are there without a value."""
    return [key for key, value in node.attr.items() if value.WhichOneof("value") is None]


def constant(node: node_def_pb2.NodeDef) -> np.ndarray | None:
    """The value of a Const node; strings come as an object array of bytes.

    None where no array can hold it (variants: an empty TensorList, folded).

    Raises:
      ValueError, TypeError, OverflowError: the proto does not hold what it declares.
    """
    proto = operations.attribute(node, "value").tensor
    dtype, shape = tf.dtypes.as_dtype(proto.dtype), [dim.size for dim in proto.tensor_shape.dim]
    if not dtype.is_numpy_compatible:
        return None
    if 0 in shape:
        return np.zeros(shape, dtype.as_numpy_dtype)
    return _strings(proto) if proto.dtype == tf.string.as_datatype_enum else tf.make_ndarray(proto)


def _strings(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """The strings, packed or listed; the last of a list stands for all that follow, b"" for none."""
    shape = [d.size for d in proto.tensor_shape.dim]
    count = math.prod(shape)
    if proto.tensor_content:
        strings = unpacked_strings(proto.tensor_content, count)
    else:
        listed = list(proto.string_val)
        strings = listed + (listed[-1:] or [b""]) * (count - len(listed))
    result = np.empty(len(strings), object)
    result[:] = strings
    return result.reshape(shape)
