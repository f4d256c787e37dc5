"""What follows from what is known of the inputs of an operation: the shape and elements of an output."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Optional, Protocol, Union

import tensorflow as tf

from estimator_slim.graph import _attributes as attributes
from estimator_slim.graph import _names as names
from estimator_slim.graph._operations import attribute, parsed_part
from estimator_slim.graph.graph import NodeDef

Dim = Union[int, tuple[str, int]]
Dims = Optional[tuple[Dim, ...]]  # noqa: UP045

SMALL = 64  # elements, at most, of a tensor whose elements are known


class Known(Protocol):
    """What a rule may ask of tensors; `Symbols` answers."""

    def shape(self, tensor: str) -> Dims: ...
    def value(self, tensor: str) -> Dims: ...
    def inferred(self, tensor: str) -> Dims: ...
    def dtype(self, tensor: str) -> tf.DType: ...


Rule = Callable[[Known, NodeDef, int], Dims]  # of output `port` of a node


def numbers(value: Dims) -> tuple[int, ...] | None:
    """The elements, if every one of them is known."""
    known = tuple(v for v in value or () if isinstance(v, int))
    return known if value is not None and len(known) == len(value) else None


# ---- shapes


def _shape_of_first(known: Known, node: NodeDef, _: int) -> Dims:
    return known.shape(node.input[0])


def _shape_of_second(known: Known, node: NodeDef, _: int) -> Dims:
    return known.shape(node.input[1])


def _shape_of_product(known: Known, node: NodeDef, _: int) -> Dims:
    left, right = known.shape(node.input[0]), known.shape(node.input[1])
    if left is None or right is None or len(left) != 2 or len(right) != 2:
        return None
    return (left[1 if attribute(node, "transpose_a").b else 0],
            right[0 if attribute(node, "transpose_b").b else 1])


def _shape_of_reshaped(known: Known, node: NodeDef, _: int) -> Dims:
    wanted = known.value(node.input[1])
    return None if wanted is None or any(d == -1 for d in wanted) else wanted


def _shape_of_transposed(known: Known, node: NodeDef, _: int) -> Dims:
    shape, order = known.shape(node.input[0]), numbers(known.value(node.input[1]))
    if shape is None or order is None or len(order) != len(shape):
        return None
    return tuple(shape[axis] for axis in order)


def _shape_of_rows(known: Known, node: NodeDef, _: int) -> Dims:
    rows, ids = known.shape(node.input[0]), known.shape(node.input[1])
    if rows is None or ids is None or known.value(node.input[2]) != (0,):
        return None
    return None if attribute(node, "batch_dims").i else ids + rows[1:]


def _shape_of_elements(known: Known, node: NodeDef, _: int) -> Dims:
    values, indices = known.shape(node.input[0]), known.shape(node.input[1])
    if values is None or indices is None or not isinstance(indices[-1], int):
        return None
    return indices[:-1] + values[indices[-1]:]


def _shape_of_sums(known: Known, node: NodeDef, _: int) -> Dims:
    rows, segments = known.shape(node.input[0]), known.value(node.input[3])
    return None if rows is None or segments is None else segments + rows[1:]


def _shape_of_sparse_reshaped(known: Known, node: NodeDef, port: int) -> Dims:
    indices, wanted = known.shape(node.input[0]), known.value(node.input[2])
    return None if port or indices is None or wanted is None else (indices[0], len(wanted))


def _shape_of_parsed(known: Known, node: NodeDef, port: int) -> Dims:
    part, index = parsed_part(node, port)
    if len(known.shape(node.input[0]) or ()) != 1:
        return None
    count: Dim = (f"{node.name}/values", index)
    return {"indices": (count, 2), "values": (count,)}.get(part)


def _shape_of_split(known: Known, node: NodeDef, port: int) -> Dims:
    """The parts of a sparse tensor: indices, values and dense shape."""
    count: Dim = (f"{node.name}/values", 0)
    columns = (known.inferred(node.name) or (0, 0))[1]
    return ((count, columns), (count,), None)[port]


SHAPES: dict[str, Rule] = {
    **dict.fromkeys((
        "Identity", "StringToHashBucketFast", "StringToHashBucketStrong", "StringToHashBucket", "Cast",
        "Relu", "Relu6", "Elu", "Selu", "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "BiasAdd",
        "ZerosLike", "OnesLike", "StopGradient", "PreventGradient", "CheckNumerics", "StringLower",
        "AsString", "Abs", "Neg", "Exp", "Log", "Sqrt", "Rsqrt", "Square"), _shape_of_first),
    **dict.fromkeys(("LookupTableFindV2", "LookupTableFind", "Select", "SelectV2"), _shape_of_second),
    "MatMul": _shape_of_product,
    "Reshape": _shape_of_reshaped,
    "Transpose": _shape_of_transposed,
    "GatherV2": _shape_of_rows,
    "GatherNd": _shape_of_elements,
    **dict.fromkeys((f"SparseSegment{how}WithNumSegments" for how in ("Sum", "Mean", "SqrtN")),
                    _shape_of_sums),
    "SparseReshape": _shape_of_sparse_reshaped,
    **dict.fromkeys(("ParseExample", "ParseExampleV2"), _shape_of_parsed),
    **dict.fromkeys(("StringSplit", "StringSplitV2", "RaggedTensorToSparse"), _shape_of_split),
}


# ---- values


def _value_of_first(known: Known, node: NodeDef, _: int) -> Dims:
    are_integers = known.dtype(node.name).is_integer and known.dtype(node.input[0]).is_integer
    return known.value(node.input[0]) if are_integers else None


def _value_of_constant(_: Known, node: NodeDef, __: int) -> Dims:
    value = attributes.constant(node)
    if value is None or value.dtype.kind not in "iu" or value.ndim > 1 or value.size > SMALL:
        return None
    return tuple(int(v) for v in value.reshape(-1))


def _value_of_shape(known: Known, node: NodeDef, _: int) -> Dims:
    return known.shape(node.input[0])


def _value_of_pack(known: Known, node: NodeDef, _: int) -> Dims:
    parts = [known.value(i) for i in names.data_inputs(node)]
    if any(p is None or len(p) != 1 for p in parts):
        return None
    return tuple(p[0] for p in parts if p)


def _value_of_concat(known: Known, node: NodeDef, _: int) -> Dims:
    parts = [known.value(i) for i in node.input[:attribute(node, "N").i]]
    return None if None in parts else tuple(d for part in parts for d in part or ())


def _value_of_slice(known: Known, node: NodeDef, _: int) -> Dims:
    value = known.value(node.input[0])
    begin, size = (numbers(known.value(i)) for i in node.input[1:3])
    if value is None or begin is None or size is None or len(begin) != 1 or len(size) != 1:
        return None
    return value[begin[0]:begin[0] + size[0] if size[0] >= 0 else None]


def _value_of_strided_slice(known: Known, node: NodeDef, _: int) -> Dims:
    value = known.value(node.input[0])
    bounds = [numbers(known.value(i)) for i in node.input[1:4]]
    is_vector = len(known.shape(node.input[0]) or ()) == 1
    if value is None or not is_vector or any(b is None or len(b) != 1 for b in bounds):
        return None
    begin, end, step = (b[0] for b in bounds if b is not None)
    if attribute(node, "ellipsis_mask").i or attribute(node, "new_axis_mask").i or not step:
        return None
    if attribute(node, "shrink_axis_mask").i:
        return (value[begin],) if -len(value) <= begin < len(value) else None
    return value[slice(None if attribute(node, "begin_mask").i else begin,
                       None if attribute(node, "end_mask").i else end, step)]


def _value_of_rows(known: Known, node: NodeDef, _: int) -> Dims:
    value, ids = known.value(node.input[0]), numbers(known.value(node.input[1]))
    if value is None or ids is None or len(known.shape(node.input[0]) or ()) != 1:
        return None
    return tuple(value[i] for i in ids) if all(0 <= i < len(value) for i in ids) else None


def _value_of_product(known: Known, node: NodeDef, _: int) -> Dims:
    value = known.value(node.input[0])
    if value is None or len(value) == 1:
        return value
    factors = numbers(value)
    return None if factors is None else (math.prod(factors),)


def _value_of_sparse_reshaped(known: Known, node: NodeDef, port: int) -> Dims:
    wanted = known.value(node.input[2])
    if port != 1 or wanted is None:
        return None
    return tuple((f"{node.name}:1 value", i) if d == -1 else d for i, d in enumerate(wanted))


def _value_of_parsed(known: Known, node: NodeDef, port: int) -> Dims:
    """A sparse feature's dense shape is [the number of examples, the longest example]."""
    batch = known.shape(node.input[0])
    if parsed_part(node, port)[0] != "shape" or batch is None or len(batch) != 1:
        return None
    return batch[0], (f"{node.name}:{port} value", 1)


VALUES: dict[str, Rule] = {
    **dict.fromkeys(("Identity", "Cast", "Reshape", "ExpandDims", "Squeeze"), _value_of_first),
    "Const": _value_of_constant,
    "Shape": _value_of_shape,
    "Pack": _value_of_pack,
    "ConcatV2": _value_of_concat,
    "Slice": _value_of_slice,
    "StridedSlice": _value_of_strided_slice,
    "GatherV2": _value_of_rows,
    "Prod": _value_of_product,
    "SparseReshape": _value_of_sparse_reshaped,
    **dict.fromkeys(("ParseExample", "ParseExampleV2"), _value_of_parsed),
}
