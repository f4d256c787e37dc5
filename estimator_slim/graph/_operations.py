"""What TensorFlow knows of operations: whether they have a state, what they take, make and declare.

No other file asks TensorFlow's registry. A function of a graph's library is not in it, so a node that
calls one by its name is of an operation that is not registered.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, op_def_pb2
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import kernels, op_def_registry

from estimator_slim.errors import TransformError

_RESOURCE = tf.resource.as_datatype_enum


def _registered(op: str) -> op_def_pb2.OpDef:
    """What TensorFlow knows of `op`; an empty OpDef where that is nothing."""
    return op_def_registry.get(op) or op_def_pb2.OpDef()


def is_registered(op: str) -> bool:
    """True if TensorFlow knows the operation `op`, by itself or by a library that was loaded."""
    return op_def_registry.get(op) is not None


@functools.cache
def has_kernel(op: str) -> bool:
    """True if this TensorFlow can run `op` on a CPU; some operations that it knows it cannot."""
    found = kernels.get_registered_kernels_for_op(op).kernel
    return any(kernel.device_type in ("CPU", "DEFAULT") for kernel in found)


def is_stateful(op: str) -> bool:
    """True if `op` is declared to have a state; Assign and others that take references are not."""
    return _registered(op).is_stateful


def takes_references(op: str) -> bool:
    """True if `op` takes a reference to a variable or a table, as TensorFlow 1.x passes them."""
    return any(arg.is_ref for arg in _registered(op).input_arg)


def makes_references(op: str) -> bool:
    """True if an output of `op` is a reference, not a value."""
    return any(arg.is_ref for arg in _registered(op).output_arg)


def takes_values(node: NodeDef) -> bool:
    """True if `node` takes no reference and no resource, so that it changes nothing that it reads."""
    return is_registered(node.op) and not any(
        arg.is_ref or arg.type_list_attr or _RESOURCE in (arg.type, attribute(node, arg.type_attr).type)
        for arg in _registered(node.op).input_arg)


def inputs_of(node: NodeDef) -> Iterator[tuple[op_def_pb2.OpDef.ArgDef, int]]:
    """(input, number of tensors in it) for each input of the operation of `node`."""
    return _counted(node, _registered(node.op).input_arg)


def outputs_of(node: NodeDef, functions: Mapping[str, FunctionDef]) -> Iterator[
        tuple[op_def_pb2.OpDef.ArgDef, int]]:
    """(output, number of tensors in it) for each output of the operation or function of `node`."""
    called = functions.get(node.op)
    return _counted(node, (called.signature if called is not None else _registered(node.op)).output_arg)


def _counted(node: NodeDef, args: Iterable[op_def_pb2.OpDef.ArgDef]) -> Iterator[
        tuple[op_def_pb2.OpDef.ArgDef, int]]:
    for arg in args:
        if arg.type_list_attr:
            yield arg, len(attribute(node, arg.type_list_attr).list.type)
        else:
            yield arg, attribute(node, arg.number_attr).i if arg.number_attr else 1


def captured_inputs(node: NodeDef) -> range:
    """The inputs of a dataset's operation that it hands to its function behind the elements."""
    at = 0
    for arg in _registered(node.op).input_arg:
        count = len(attribute(node, arg.type_list_attr).list.type) if arg.type_list_attr else max(
            1, attribute(node, arg.number_attr).i)
        if arg.name == "other_arguments":
            return range(at, at + count)
        at += count
    return range(0)


def output_types(node: NodeDef, functions: Mapping[str, FunctionDef]) -> list[tf.DType]:
    """The type of each tensor that the operation or function of `node` makes."""
    types: list[int] = []
    for arg, count in outputs_of(node, functions):
        if arg.type_list_attr:
            types += attribute(node, arg.type_list_attr).list.type
        else:
            types += [attribute(node, arg.type_attr).type if arg.type_attr else arg.type] * count
    return [tf.dtypes.as_dtype(one) for one in types]


def counted_outputs(node: NodeDef) -> int:
    """The number of outputs that `node` has because an attribute says how many."""
    return sum(max(0, attribute(node, arg.number_attr).i) for arg in _registered(node.op).output_arg
               if arg.number_attr)


def parsed_part(node: NodeDef, port: int) -> tuple[str, int]:
    """Which part of which sparse feature an output of ParseExample(V2) is.

    Returns (`indices`, `values` or `shape`, number of the feature), or (`dense`, 0).
    """
    count = attribute(node, "num_sparse" if node.op == "ParseExampleV2" else "Nsparse").i
    kind = port // count if count else 3
    return (("indices", "values", "shape")[kind], port % count) if kind < 3 else ("dense", 0)


def attribute(node: NodeDef, key: str) -> attr_value_pb2.AttrValue:
    """Attribute `key` of `node`, or its registered default where the node does not spell it out.

    An empty value where there is neither. `node.attr[key]` would add that to the node, and no loader
    takes it; nor is it the default: `is_training` is true where a node says nothing.
    """
    if key in node.attr:
        return node.attr[key]
    return next((a.default_value for a in _registered(node.op).attr if a.name == key),
                attr_value_pb2.AttrValue())


def list_attributes(op: str) -> set[str]:
    """The attributes of `op` that are lists, which may be empty."""
    return {a.name for a in _registered(op).attr if a.type.startswith("list(")}


def require_registered(nodes: Iterable[NodeDef], advice: str) -> None:
    """Checks nodes whose operation or attributes were edited.

    Raises:
      TransformError: naming the node and what is wrong with it, followed by `advice`.
    """
    for node in nodes:
        if not is_registered(node.op):
            raise TransformError(f"the node {node.name!r} would be of the operation {node.op!r}, which "
                                 f"TensorFlow does not know; {advice}")
        declared = list(_registered(node.op).attr)
        for key in node.attr:
            if not key.startswith("_") and all(a.name != key for a in declared):
                raise TransformError(f"the node {node.name!r} would have the attribute {key!r}, which "
                                     f"{node.op} does not know; {advice}")
        for attr in declared:
            if attr.name not in node.attr and not attr.HasField("default_value"):
                raise TransformError(f"the node {node.name!r} would lack the attribute {attr.name!r}, "
                                     f"which {node.op} needs; {advice}")
