"""What is known of shapes and of small integer tensors before a request comes: symbols.

A dimension is an int, or a symbol that stands for a number known only at run time. Two dimensions
with the same symbol are equal in every request, which is what lets a Reshape to "the shape it has
anyway" be recognised: TensorFlow's own shape inference only knows that both are unknown.

    x ─ Reshape([Shape(x)[0], 64])      the shape of x is (n, 64), the value of the list (n, 64)

A tensor that a signature feeds is taken as it comes: nothing is concluded from the node behind it.
"""

from __future__ import annotations

import math
from typing import Optional, Union

import tensorflow as tf

from estimator_slim.graph import _attributes as attributes
from estimator_slim.graph import _names as names
from estimator_slim.graph._operations import attribute, parsed_part
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.graph.importing import imported

Dim = Union[int, tuple[str, int]]
Dims = Optional[tuple[Dim, ...]]  # noqa: UP045

_SAME_SHAPE = frozenset((
    "Identity", "StringToHashBucketFast", "StringToHashBucketStrong", "StringToHashBucket",
    "LookupTableFindV2", "LookupTableFind", "Cast", "Relu", "Relu6", "Elu", "Selu", "Sigmoid",
    "Tanh", "Softmax", "LogSoftmax", "BiasAdd", "ZerosLike", "OnesLike", "StopGradient",
    "PreventGradient", "CheckNumerics", "StringLower", "AsString", "Abs", "Neg", "Exp", "Log",
    "Sqrt", "Rsqrt", "Square"))
_PASS_VALUE = ("Identity", "Cast", "Reshape", "ExpandDims", "Squeeze")
_SMALL = 64


class Symbols:
    """The shapes and values of a graph's tensors, worked out when asked for."""

    def __init__(self, graph: Graph):
        self._graph = graph
        self._fed = graph.interface.fed
        self._shapes: dict[str, Dims] = {}
        self._values: dict[str, Dims] = {}
        self._inferred = imported(graph.graph_def())

    def shape(self, tensor: str) -> Dims:
        """The dimensions of `tensor`, or None where even their number is unknown."""
        tensor = names.canonical(tensor)
        if tensor not in self._shapes:
            self._work_out(tensor)
        return self._shapes[tensor]

    def value(self, tensor: str) -> Dims:
        """The elements of a small integer tensor (a scalar has one), or None."""
        tensor = names.canonical(tensor)
        if tensor not in self._values:
            self._work_out(tensor)
        return self._values[tensor]

    def dtype(self, tensor: str) -> tf.DType:
        """The type of `tensor`."""
        node, port = names.split(tensor)
        return self._inferred.get_operation_by_name(node).outputs[port].dtype

    # ---- order

    def _work_out(self, tensor: str) -> None:
        """Shape and value of `tensor`, those they follow from first: a graph is deeper than a stack."""
        todo, seen = [(tensor, False)], set()
        while todo:
            tensor, ready = todo.pop()
            if ready:
                self._settle(tensor)
            elif tensor not in seen and tensor not in self._values:
                seen.add(tensor)
                todo.append((tensor, True))
                todo += [(names.canonical(i), False) for i in self._followed(tensor)]

    def _followed(self, tensor: str) -> list[str]:
        """The tensors that a rule for `tensor` may ask about."""
        node = self._graph.nodes[names.node_of(tensor)]
        ruled = (node.op in _SAME_SHAPE or node.op in _PASS_VALUE or node.op in _SHAPE_OF_SECOND
                 or hasattr(self, f"_shape_of_{node.op}") or hasattr(self, f"_value_of_{node.op}"))
        if not ruled or tensor in self._fed:
            return []
        return names.data_inputs(node)

    def _settle(self, tensor: str) -> None:
        is_fed = tensor in self._fed
        self._shapes[tensor] = self._static(tensor)  # ends a cycle through a loop
        self._values[tensor] = None
        shape = None if is_fed else self._shape(tensor)
        if shape is not None:
            self._shapes[tensor] = shape
        value = None if is_fed else self._value(tensor)
        self._values[tensor] = self._elements(tensor) if value is None else value

    # ---- shapes

    def _static(self, tensor: str) -> Dims:
        """What TensorFlow infers, each unknown dimension a symbol of its own."""
        node, port = names.split(tensor)
        outputs = self._inferred.get_operation_by_name(node).outputs
        shape = outputs[port].shape if port < len(outputs) else tf.TensorShape(None)
        if shape.rank is None:
            return None
        return tuple((tensor, i) if d is None else d for i, d in enumerate(shape.as_list()))

    def _shape(self, tensor: str) -> Dims:
        name, port = names.split(tensor)
        node = self._graph.nodes[name]
        if node.op in _SAME_SHAPE or (node.op in ("Select", "SelectV2") and port == 0):
            return self.shape(node.input[1 if node.op in _SHAPE_OF_SECOND else 0])
        rule = getattr(self, f"_shape_of_{node.op}", None)
        return rule(node, port) if rule else None

    def _shape_of_MatMul(self, node: NodeDef, _: int) -> Dims:
        left, right = self.shape(node.input[0]), self.shape(node.input[1])
        if left is None or right is None or len(left) != 2 or len(right) != 2:
            return None
        return (left[1 if attribute(node, "transpose_a").b else 0],
                right[0 if attribute(node, "transpose_b").b else 1])

    def _shape_of_Reshape(self, node: NodeDef, _: int) -> Dims:
        wanted = self.value(node.input[1])
        if wanted is None or any(d == -1 for d in wanted):
            return None
        return wanted

    def _shape_of_GatherV2(self, node: NodeDef, _: int) -> Dims:
        rows, ids = self.shape(node.input[0]), self.shape(node.input[1])
        if rows is None or ids is None or self.value(node.input[2]) != (0,):
            return None
        return None if attribute(node, "batch_dims").i else ids + rows[1:]

    def _shape_of_sums(self, node: NodeDef, _: int) -> Dims:
        rows, segments = self.shape(node.input[0]), self.value(node.input[3])
        return None if rows is None or segments is None else segments + rows[1:]

    _shape_of_SparseSegmentSumWithNumSegments = _shape_of_sums
    _shape_of_SparseSegmentMeanWithNumSegments = _shape_of_sums
    _shape_of_SparseSegmentSqrtNWithNumSegments = _shape_of_sums

    def _shape_of_SparseReshape(self, node: NodeDef, port: int) -> Dims:
        indices, wanted = self.shape(node.input[0]), self.value(node.input[2])
        if port or indices is None or wanted is None:
            return None
        return indices[0], len(wanted)

    def _shape_of_ParseExampleV2(self, node: NodeDef, port: int) -> Dims:
        part, index = parsed_part(node, port)
        if len(self.shape(node.input[0]) or ()) != 1:
            return None
        count: Dim = (f"{node.name}/values", index)
        return {"indices": (count, 2), "values": (count,)}.get(part)

    _shape_of_ParseExample = _shape_of_ParseExampleV2

    def _shape_of_StringSplitV2(self, node: NodeDef, port: int) -> Dims:
        count: Dim = (f"{node.name}/values", 0)
        columns = (self._static(node.name) or (0, 0))[1]
        return ((count, columns), (count,), None)[port]

    _shape_of_StringSplit = _shape_of_StringSplitV2
    _shape_of_RaggedTensorToSparse = _shape_of_StringSplitV2

    def _shape_of_GatherNd(self, node: NodeDef, _: int) -> Dims:
        values, indices = self.shape(node.input[0]), self.shape(node.input[1])
        if values is None or indices is None or not isinstance(indices[-1], int):
            return None
        return indices[:-1] + values[indices[-1]:]

    # ---- values

    def _elements(self, tensor: str) -> Dims:
        """A symbol for each element, where their number is known and small."""
        shape = self.shape(tensor)
        known = _numbers(shape)
        if known is None or len(known) > 1 or not self.dtype(tensor).is_integer:
            return None
        count = math.prod(known)
        return tuple((f"{tensor} value", i) for i in range(count)) if count <= _SMALL else None

    def _value(self, tensor: str) -> Dims:
        name, port = names.split(tensor)
        node = self._graph.nodes[name]
        if node.op in _PASS_VALUE:
            return self.value(node.input[0]) if self._is_integer(node) else None
        rule = getattr(self, f"_value_of_{node.op}", None)
        return rule(node, port) if rule else None

    def _is_integer(self, node: NodeDef) -> bool:
        tensors = self._inferred.get_operation_by_name(node.name)
        return tensors.outputs[0].dtype.is_integer and tensors.inputs[0].dtype.is_integer

    def _value_of_Const(self, node: NodeDef, _: int) -> Dims:
        value = attributes.constant(node)
        if value is None or value.dtype.kind not in "iu" or value.ndim > 1 or value.size > _SMALL:
            return None
        return tuple(int(v) for v in value.reshape(-1))

    def _value_of_Shape(self, node: NodeDef, _: int) -> Dims:
        return self.shape(node.input[0])

    def _value_of_Pack(self, node: NodeDef, _: int) -> Dims:
        parts = [self.value(i) for i in names.data_inputs(node)]
        if any(p is None or len(p) != 1 for p in parts):
            return None
        return tuple(p[0] for p in parts if p)

    def _value_of_ConcatV2(self, node: NodeDef, _: int) -> Dims:
        parts = [self.value(i) for i in node.input[:attribute(node, "N").i]]
        return None if None in parts else tuple(d for part in parts for d in part or ())

    def _value_of_Slice(self, node: NodeDef, _: int) -> Dims:
        value = self.value(node.input[0])
        begin, size = (_numbers(self.value(i)) for i in node.input[1:3])
        if value is None or begin is None or size is None or len(begin) != 1 or len(size) != 1:
            return None
        return value[begin[0]:begin[0] + size[0] if size[0] >= 0 else None]

    def _value_of_StridedSlice(self, node: NodeDef, _: int) -> Dims:
        value = self.value(node.input[0])
        bounds = [_numbers(self.value(i)) for i in node.input[1:4]]
        is_vector = len(self.shape(node.input[0]) or ()) == 1
        if value is None or not is_vector or any(b is None or len(b) != 1 for b in bounds):
            return None
        begin, end, step = (b[0] for b in bounds if b is not None)
        if attribute(node, "ellipsis_mask").i or attribute(node, "new_axis_mask").i or not step:
            return None
        if attribute(node, "shrink_axis_mask").i:
            return (value[begin],) if -len(value) <= begin < len(value) else None
        return value[slice(None if attribute(node, "begin_mask").i else begin,
                           None if attribute(node, "end_mask").i else end, step)]

    def _value_of_GatherV2(self, node: NodeDef, _: int) -> Dims:
        value, ids = self.value(node.input[0]), _numbers(self.value(node.input[1]))
        if value is None or ids is None or len(self.shape(node.input[0]) or ()) != 1:
            return None
        return tuple(value[i] for i in ids) if all(0 <= i < len(value) for i in ids) else None

    def _value_of_Prod(self, node: NodeDef, _: int) -> Dims:
        value = self.value(node.input[0])
        if value is None or len(value) == 1:
            return value
        known = _numbers(value)
        return None if known is None else (math.prod(known),)

    def _value_of_SparseReshape(self, node: NodeDef, port: int) -> Dims:
        wanted = self.value(node.input[2])
        if port != 1 or wanted is None:
            return None
        return tuple((f"{node.name}:1 value", i) if d == -1 else d for i, d in enumerate(wanted))

    def _value_of_ParseExampleV2(self, node: NodeDef, port: int) -> Dims:
        """A sparse feature's dense shape is [the number of examples, the longest example]."""
        batch = self.shape(node.input[0])
        if parsed_part(node, port)[0] != "shape" or batch is None or len(batch) != 1:
            return None
        return batch[0], (f"{node.name}:{port} value", 1)

    _value_of_ParseExample = _value_of_ParseExampleV2


_SHAPE_OF_SECOND = ("LookupTableFindV2", "LookupTableFind", "Select", "SelectV2")


def _numbers(value: Dims) -> tuple[int, ...] | None:
    """The elements, if every one of them is known."""
    known = tuple(v for v in value or () if isinstance(v, int))
    return known if value is not None and len(known) == len(value) else None
