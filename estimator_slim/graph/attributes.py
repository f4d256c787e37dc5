"""Python values as AttrValue protos, and back where a transform reads them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, node_def_pb2


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


def _encode_list(values: list, result: attr_value_pb2.AttrValue.ListValue) -> None:
    result.SetInParent()
    for value in values:
        one = encode(value)
        kind = one.WhichOneof("value")
        getattr(result, kind).extend([getattr(one, kind)])


def dtype(node: node_def_pb2.NodeDef, key: str) -> tf.DType:
    """The type that attribute `key` of `node` names."""
    return tf.dtypes.as_dtype(node.attr[key].type)


def constant(node: node_def_pb2.NodeDef) -> np.ndarray | None:
    """The value of a Const node; strings come as an object array of bytes.

    None where no array can hold it (variants: an empty TensorList, folded).
    """
    proto = node.attr["value"].tensor
    if not tf.dtypes.as_dtype(proto.dtype).is_numpy_compatible:
        return None
    if proto.dtype == tf.string.as_datatype_enum and proto.tensor_content:
        shape = [d.size for d in proto.tensor_shape.dim]
        return np.array(_strings(proto.tensor_content, math.prod(shape)), object).reshape(shape)
    return tf.make_ndarray(proto)


def _strings(content: bytes, count: int) -> list[bytes]:
    """Strings as C++ packs them into tensor_content: their lengths as varints, then their bytes."""
    lengths, at = [], 0
    for _ in range(count):
        length, shift = 0, 0
        while content[at] & 0x80:
            length |= (content[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
        lengths.append(length | content[at] << shift)
        at += 1
    strings = []
    for length in lengths:
        strings.append(content[at:at + length])
        at += length
    return strings
