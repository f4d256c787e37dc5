"""The values that a graph holds: each has the shape and the bytes that it says it has.

TensorFlow and numpy make room for the shape that a tensor declares before they look at what is in it,
and 30 bytes of a proto can declare 2**60 numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.framework.node_def_pb2 import NodeDef

from estimator_slim.graph import unpacked_strings

MOST_BYTES = 1 << 31  # what a saved_model.pb can hold written out
_ELEMENT_BYTES = 64   # of a string, a handle or a variant, about
_LISTS = [f.name for f in tensor_pb2.TensorProto.DESCRIPTOR.fields if f.name.endswith("_val")]


def unsound_values(nodes: Iterable[NodeDef]) -> Iterator[str]:
    """What is wrong with the tensors in the attributes of `nodes`, a clause for each fault."""
    total = 0
    for node, proto in _tensors(nodes):
        try:
            total += _byte_count(proto)
            _check_content(proto)
        except (ValueError, TypeError, OverflowError) as e:
            yield f"the value of its node {node.name!r} is damaged: {e}"
        if total > MOST_BYTES:
            yield (f"its constants declare more than {MOST_BYTES:,} bytes, which no graph can hold: the "
                   f"value of node {node.name!r} has the shape {_dims(proto)}")
            return


def _tensors(nodes: Iterable[NodeDef]) -> Iterator[tuple[NodeDef, tensor_pb2.TensorProto]]:
    for node in nodes:
        for value in node.attr.values():
            if value.HasField("tensor"):
                yield node, value.tensor
            elif value.HasField("list"):
                yield from ((node, tensor) for tensor in value.list.tensor)


def _dims(proto: tensor_pb2.TensorProto) -> list[int]:
    return [dim.size for dim in proto.tensor_shape.dim]


def _byte_count(proto: tensor_pb2.TensorProto) -> int:
    """The bytes in memory of the tensor that `proto` declares."""
    dims = _dims(proto)
    if proto.tensor_shape.unknown_rank or min(dims, default=0) < 0:
        raise ValueError(f"its shape {dims} is not that of a value")
    if max(dims, default=0) >= 1 << 62 or len(dims) > 254:
        raise ValueError(f"no tensor has the shape {dims[:8]}")
    dtype = tf.dtypes.as_dtype(proto.dtype)
    size = dtype.size if dtype != tf.string and dtype.is_numpy_compatible else _ELEMENT_BYTES
    return math.prod(dims) * size


def _check_content(proto: tensor_pb2.TensorProto) -> None:
    """Raises ValueError, TypeError or OverflowError unless the content makes a tensor of the shape."""
    dtype, count = tf.dtypes.as_dtype(proto.dtype), math.prod(_dims(proto))
    if not dtype.is_numpy_compatible:
        return
    if proto.tensor_content:
        if dtype == tf.string:
            unpacked_strings(proto.tensor_content, count)
        elif len(proto.tensor_content) != count * dtype.size:
            raise ValueError(f"{len(proto.tensor_content)} bytes do not make the {dtype.name} tensor "
                             f"of shape {_dims(proto)}")
        return
    listed = _listed(proto)
    if len(listed) > count > 0:  # tf.zeros([0], tf.string) lists one for a shape of nothing
        raise ValueError(f"it lists {len(listed)} values for the shape {_dims(proto)}")


def _listed(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """The values that `proto` spells out; the last of them stands for all that follow it."""
    few = tensor_pb2.TensorProto()
    few.CopyFrom(proto)
    few.tensor_shape.Clear()
    count = max((len(getattr(proto, name)) for name in _LISTS), default=0)
    few.tensor_shape.dim.add(size=count // 2 if tf.dtypes.as_dtype(proto.dtype).is_complex else count)
    return tf.make_ndarray(few)
