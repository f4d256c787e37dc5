"""fold_constants: what depends on no request, computed ahead.

The engine would compute whatever it can, also what reads files or is of any size. So the nodes that have
to be left to requests are found first (`left_to_requests`) and held back from it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.graph import (
    CONSTANT_BYTES,
    Consumers,
    Graph,
    NodeDef,
    attribute,
    called_by,
    hold,
    imported,
    names,
    operations,
    release,
)
from estimator_slim.transforms.engine import NativeTransform

_ROUNDS = 10  # in each the sizes of more values are known
_MOST_BYTES = 10 << 20  # the engine's own limit
_STRING_BYTES = 32  # of a string, besides its characters

# Not stateful by their registration, and yet they read or write files or run foreign code.
_OUTSIDE = ("ReadFile", "MatchingFiles", "GenerateVocabRemapping", "DecodeProtoV2", "EncodeProto",
            "ImmutableConst", "PyFuncStateless", "TfLiteSubgraphExecute", "MlirPassthroughOp",
            "XlaCustomCall", "XlaCustomCallV2", "DebugIdentity", "DebugNanCount", "DebugNumericSummary")
_OF_SHAPE = ("Shape", "ShapeN", "Rank", "Size")  # constant where a shape is known
_MOVING = ("Identity", "ExpandDims", "Reshape", "Squeeze", "Transpose", "Pack", "Unpack", "ConcatV2",
           "Slice", "StridedSlice", "GatherV2", "Split", "Tile", "Fill", "BroadcastTo")


@dataclass(frozen=True)
class FoldConstants(NativeTransform):
    """Computes once, now, what does not depend on a request.

        Before: Const(2) ─ Mul(Const(3)) ─ Add(x)
        After:  Const(6) ─ Add(x)

    By the engine, over the part of the graph that answers requests: it cannot fold a graph that has
    an init op, and with ignore_errors it then does nothing and says nothing. Mended: it would read
    files, too, and make strings of any size; such nodes are held back from it (`left_to_requests`).
    It spells out defaults, also of attributes that older TensorFlows do not know and refuse; these go.

    Attributes:
      clear_output_shapes: drop recorded `_output_shapes`, which may be out of date.
      exclude_op: leave nodes of these operations, and what depends on them, to be computed.
      exclude_node: leave these nodes, and what depends on them, to be computed.
      max_constant_size_in_bytes: leave what would be larger to be computed. Where it is not given, also
        what would be larger than 256 KiB and than what it is made from: the servable would grow.
    """

    text_name: ClassVar[str] = "fold_constants"
    by: ClassVar[str] = "mended"
    enters_functions: ClassVar[bool] = True
    clear_output_shapes: bool = True
    exclude_op: tuple[str, ...] = ()
    exclude_node: tuple[str, ...] = ()
    max_constant_size_in_bytes: int = _MOST_BYTES

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.max_constant_size_in_bytes < 2**63:
            raise OptionError("fold_constants(max_constant_size_in_bytes=...) takes 0 to 2**63 - 1, got "
                              f"{self.max_constant_size_in_bytes}")

    def rewrite(self, graph: Graph) -> None:
        spelt = {(name, node.op): set(node.attr) for name, node in graph.nodes.items()}
        self._fold(graph)
        for node in graph.nodes.values():
            for key in set(node.attr).difference(spelt.get((node.name, node.op), node.attr)):
                node.attr.pop(key)

    def _fold(self, graph: Graph) -> None:
        before: set[str] = set()
        limit = self.max_constant_size_in_bytes
        most_grown = CONSTANT_BYTES if limit == _MOST_BYTES else limit
        for _ in range(_ROUNDS):
            held = left_to_requests(graph, limit, most_grown)
            hold(held)
            NativeTransform.rewrite(self, graph)
            release(graph.nodes.values())
            left = {node.name for node in held if _reads_constants(graph, node.name)}
            if left <= before:
                break
            before = left


def _reads_constants(graph: Graph, name: str) -> bool:
    """True if all that a node reads is known now, which the size of what it makes may follow from."""
    node = graph.nodes.get(name)
    return node is not None and all(graph.nodes[names.node_of(i)].op == "Const" for i in node.input)


def left_to_requests(graph: Graph, most_bytes: int, most_grown: int) -> list[NodeDef]:
    """The nodes that depend on no request and all the same must not be computed ahead.

    They read or write files, call functions, join strings, or make a value that is too large: more than
    `most_bytes`, or more than both `most_grown` and all that they alone read, or of a size that is not
    known before they are executed.
    """
    consumers = Consumers(graph)
    constant = _constant(graph, consumers)
    if all(node.op == "Const" for node in constant):
        return []
    understood = imported(graph.graph_def())
    functions = graph.functions().keys()
    single = _read_once(graph, consumers)
    longest: dict[str, float] = {}
    sizes: dict[str, float] = {}
    held = []
    for node in constant:
        longest[node.name] = _longest_string(node, longest)
        outputs = understood.get_operation_by_name(node.name).outputs
        sizes[node.name] = sum(_byte_count(output, longest[node.name]) for output in outputs)
        sources = {names.node_of(name) for name in node.input} or {node.name}
        read = sum(sizes.get(source, 0) for source in sources if source in single)
        is_small = sizes[node.name] <= min(most_bytes, max(most_grown, read))
        if node.op in _OUTSIDE or not is_small or not functions.isdisjoint(called_by(node)):
            held.append(node)
    return held


def _read_once(graph: Graph, consumers: Consumers) -> set[str]:
    """The nodes that at most one node reads or one signature fetches."""
    fetched = Counter(names.node_of(tensor) for tensor in graph.interface.outputs())
    return {name for name in graph.nodes if len(consumers.after(name)) + fetched[name] <= 1}


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
        proto = attribute(node, "value").tensor
        return max((len(s) for s in (*proto.string_val, proto.tensor_content)), default=0)
    if node.op == "AsString":
        return sum(max(0, attribute(node, key).i) for key in ("width", "precision")) + 400
    if node.op in _MOVING:
        return max((longest[names.node_of(name)] for name in node.input), default=0)
    return math.inf


def _constant(graph: Graph, consumers: Consumers) -> list[NodeDef]:
    """The Consts and the nodes without a state that are worked out from them alone, in order."""
    waiting = {name: 0 if node.op in _OF_SHAPE else len({names.node_of(i) for i in node.input})
               for name, node in graph.nodes.items()}
    found = []
    todo = [node for node in graph.nodes.values()
            if not waiting[node.name] and (node.op == "Const" or node.op in _OF_SHAPE)]
    while todo:
        node = todo.pop()
        found.append(node)
        for consumer in consumers.after(node.name):
            waiting[consumer.name] -= 1
            if not waiting[consumer.name] and not operations.is_stateful(consumer.op):
                todo.append(consumer)
    return found
