"""What fold_constants may compute ahead: values of a known size, from constants, by themselves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from estimator_slim.graph import names
from estimator_slim.graph.functions import called_by
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.graph.unexecuted import imported
from estimator_slim.transforms.default_attributes import attribute

# Not stateful by their registration, and yet they read or write files or run foreign code.
_OUTSIDE = ("ReadFile", "MatchingFiles", "GenerateVocabRemapping", "DecodeProtoV2", "EncodeProto",
            "ImmutableConst", "PyFuncStateless", "TfLiteSubgraphExecute", "MlirPassthroughOp",
            "XlaCustomCall", "XlaCustomCallV2", "DebugIdentity", "DebugNanCount", "DebugNumericSummary")
_OF_SHAPE = ("Shape", "ShapeN", "Rank", "Size")  # constant where a shape is known
_MOVING = ("Identity", "ExpandDims", "Reshape", "Squeeze", "Transpose", "Pack", "Unpack", "ConcatV2",
           "Slice", "StridedSlice", "GatherV2", "Split", "Tile", "Fill", "BroadcastTo")
_STRING_BYTES = 32  # of a string, besides its characters


def left_to_requests(graph: Graph, most_bytes: int, most_grown: int) -> list[NodeDef]:
    """The nodes that depend on no request and are not to be computed ahead for all that.

    They read or write files, call functions, join strings, or make values of more than `most_bytes`, of
    more than `most_grown` and than what they alone read, or of a size that nobody knows before they
    are executed.
    """
    constant = _constant(graph)
    if all(node.op == "Const" for node in constant):
        return []
    understood = imported(graph.graph_def())
    functions = {f.signature.name for f in graph.library.function}
    reader_counts = _reader_counts(graph)
    longest: dict[str, float] = {}
    sizes: dict[str, float] = {}
    held = []
    for node in constant:
        longest[node.name] = _longest_string(node, longest)
        outputs = understood.get_operation_by_name(node.name).outputs
        sizes[node.name] = sum(_byte_count(output, longest[node.name]) for output in outputs)
        sources = {names.node_of(name) for name in node.input} or {node.name}
        read = sum(sizes.get(source, 0) for source in sources if reader_counts[source] <= 1)
        is_small = sizes[node.name] <= min(most_bytes, max(most_grown, read))
        if node.op in _OUTSIDE or not is_small or not functions.isdisjoint(called_by(node)):
            held.append(node)
    return held


def _reader_counts(graph: Graph) -> Counter[str]:
    """How many nodes read each node, and signatures that fetch it."""
    counts = Counter(source for node in graph.nodes.values()
                     for source in {names.node_of(name) for name in node.input})
    counts.update(names.node_of(tensor) for tensor in graph.interface.outputs())
    return counts


def _byte_count(tensor: tf.Tensor, longest: float) -> float:
    count, dtype = tensor.shape.num_elements(), tensor.dtype
    if count is None or dtype in (tf.variant, tf.resource) and tensor.op.type != "EmptyTensorList":
        return math.inf
    if dtype == tf.string:
        return count * (longest + _STRING_BYTES)
    return count * dtype.size


def _longest_string(node: NodeDef, longest: Mapping[str, float]) -> float:
    """The length of the longest string that `node` can make, where it makes any."""
    if node.op == "Const":
        proto = node.attr["value"].tensor
        return max((len(s) for s in (*proto.string_val, proto.tensor_content)), default=0)
    if node.op == "AsString":
        return sum(max(0, attribute(node, key).i) for key in ("width", "precision")) + 400
    if node.op in _MOVING:
        return max((longest[names.node_of(name)] for name in node.input), default=0)
    return math.inf


def _constant(graph: Graph) -> list[NodeDef]:
    """The Consts and the nodes without a state that are worked out from them alone, in order."""
    readers: dict[str, list[NodeDef]] = {}
    waiting: dict[str, int] = {}
    for node in graph.nodes.values():
        sources = {names.node_of(name) for name in node.input}
        waiting[node.name] = 0 if node.op in _OF_SHAPE else len(sources)
        for source in sources:
            readers.setdefault(source, []).append(node)
    return _in_order(graph.nodes.values(), readers, waiting)


def _in_order(nodes: Iterable[NodeDef], readers: Mapping[str, list[NodeDef]],
              waiting: dict[str, int]) -> list[NodeDef]:
    found = []
    todo = [node for node in nodes
            if not waiting[node.name] and (node.op == "Const" or node.op in _OF_SHAPE)]
    while todo:
        node = todo.pop()
        found.append(node)
        for reader in readers.get(node.name, ()):
            waiting[reader.name] -= 1
            if not waiting[reader.name] and _is_stateless(reader):
                todo.append(reader)
    return found


def _is_stateless(node: NodeDef) -> bool:
    op = op_def_registry.get(node.op)
    return op is None or not op.is_stateful
