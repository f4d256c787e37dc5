"""The graph that transforms work on: nodes by name, the weights they refer to, what is promised.

A weight is in the graph as a Const when it is small and as a VarHandleOp with one ReadVariableOp when
it is large. A transform need not know which: `weight()` gives the Weight behind a tensor name for both,
and `add_weight()` makes the one or the other by size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import function_pb2, versions_pb2
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

from estimator_slim.graph import _attributes as attributes
from estimator_slim.graph import _names as names
from estimator_slim.graph import _operations as operations
from estimator_slim.graph.functions import reachable
from estimator_slim.graph.interface import Interface
from estimator_slim.graph.weight import CONSTANT_BYTES, Weight

CODED = "_slim_coded"  # attribute of nodes that hold codes, scales or offsets: not to be coded again
_LONGEST_CHAIN = 100  # Identity nodes in a row: each of thousands of consumers may walk past them


@dataclass
class Graph:
    """Nodes and what belongs to them.

    Attributes:
      nodes: name → NodeDef; the order is the order in the file.
      interface: the names that must stay.
      weights: shared_name of a VarHandleOp (or VariableV2) → its value, by reference.
      library: the functions that nodes call.
      versions: of the GraphDef.
    """

    nodes: dict[str, NodeDef]
    interface: Interface
    weights: dict[str, Weight] = field(default_factory=dict)
    library: function_pb2.FunctionDefLibrary = field(
        default_factory=function_pb2.FunctionDefLibrary)
    versions: versions_pb2.VersionDef = field(default_factory=versions_pb2.VersionDef)

    # ---- reading

    @property
    def node_count(self) -> int:
        """Nodes of the graph and of its functions."""
        return len(self.nodes) + sum(len(function.node_def) for function in self.library.function)

    @property
    def byte_count(self) -> int:
        """Bytes of the nodes, the functions and what is stored of the weights."""
        return (sum(node.ByteSize() for node in self.nodes.values()) + self.library.ByteSize()
                + sum(part.byte_count for weight in self.weights.values() for part in weight.parts()))

    def functions(self) -> dict[str, FunctionDef]:
        """Name → function of the library."""
        return {function.signature.name: function for function in self.library.function}

    def graph_def(self) -> tf.compat.v1.GraphDef:
        """The GraphDef of the nodes, with library and versions."""
        return tf.compat.v1.GraphDef(
            node=self.nodes.values(), library=self.library, versions=self.versions)

    def source(self, tensor: str) -> str:
        """The tensor that `tensor` is a copy of, before up to 100 Identity nodes of one input."""
        for _ in range(_LONGEST_CHAIN):
            node = self.nodes[names.node_of(tensor)]
            if node.op != "Identity" or len(node.input) != 1 or tensor in self.interface.fed:
                break
            tensor = node.input[0]
        return names.canonical(tensor)

    def producer(self, tensor: str) -> NodeDef:
        """The node that computes `tensor`, before Identity nodes of one input.

        What a signature feeds comes from a Placeholder, whatever node stands there.
        """
        source = self.source(tensor)
        if source in self.interface.fed:
            return NodeDef(name=names.node_of(source), op="Placeholder")
        return self.nodes[names.node_of(source)]

    def weight(self, tensor: str) -> Weight | None:
        """The weight whose value `tensor` is; None if it is none, or one that has to stay a variable."""
        node = self.producer(tensor)
        if node.op == "Const":
            value = attributes.constant(node)
            return None if value is None else Weight.of_array(value, node.name)
        if node.op == "ReadVariableOp":
            handle = self.nodes.get(names.node_of(node.input[0]))
            if handle is not None and handle.op == "VarHandleOp":
                weight = self.weights.get(shared_name(handle))
                return None if weight is None or weight.stays_variable else weight
        return None

    def constant(self, tensor: str) -> Any:
        """The numpy value of a Const tensor, or None when it is not one."""
        node = self.producer(tensor)
        return attributes.constant(node) if node.op == "Const" else None

    def waits(self, tensor: str) -> bool:
        """True if the node that `tensor` comes from has a control dependency, which would go with it."""
        return bool(names.control_inputs(self.producer(tensor)))

    def ancestors(self, roots: Iterable[str], stop: Iterable[str] = ()) -> set[str]:
        """The nodes that `roots` (nodes) depend on, themselves included; not what `stop` depend on."""
        seen: set[str] = set()
        ends, todo = set(stop), list(roots)
        while todo:
            name = todo.pop()
            if name in seen or name not in self.nodes:
                continue
            seen.add(name)
            if name not in ends:
                todo.extend(names.node_of(i) for i in self.nodes[name].input)
        return seen

    # ---- editing

    def copy(self) -> Graph:
        """A graph whose nodes can be edited without touching this one's."""
        nodes = {}
        for name, node in self.nodes.items():
            nodes[name] = NodeDef()
            nodes[name].CopyFrom(node)
        return replace(self, nodes=nodes, weights=dict(self.weights))

    def unique(self, name: str) -> str:
        """`name`, or `name_1`, `name_2`, ... if there is such a node."""
        candidate, count = name, 0
        while candidate in self.nodes:
            count += 1
            candidate = f"{name}_{count}"
        return candidate

    def add(self, op: str, name: str, inputs: Iterable[str] = (), **attrs: Any) -> str:
        """Adds a node under a free name like `name`; returns that name, its first output."""
        name = self.unique(name)
        node = NodeDef(name=name, op=op, input=[names.canonical(i) for i in inputs])
        for key, value in attrs.items():
            attributes.put(node, key, value)
        self.nodes[name] = node
        return name

    def add_constant(self, name: str, value: Any) -> str:
        """Adds a Const of a numpy value; returns its tensor name."""
        return self.add("Const", name, dtype=tf.dtypes.as_dtype(value.dtype), value=value)

    def add_weight(self, name: str, weight: Weight, *, constant_bytes: int = CONSTANT_BYTES) -> str:
        """Adds a weight; returns its tensor name.

        Up to `constant_bytes` it is a Const, unless it is kept as a variable, lies on disk in another
        form or something is known of its training; so are strings. Otherwise it is a read-only variable.
        """
        is_small = (weight.byte_count <= constant_bytes and weight.stored is None
                    and weight.training is None and not weight.kept)
        if is_small or weight.dtype == tf.string:
            return self.add_constant(name, weight.value())
        name = self.unique(name)
        self.weights[name] = weight
        handle = self.add("VarHandleOp", name, dtype=weight.dtype, container="", shared_name=name,
                          shape=tf.TensorShape(weight.shape))
        return self.add("ReadVariableOp", f"{name}/Read", [handle], dtype=weight.dtype)

    def replace_by_weight(self, name: str, weight: Weight, *,
                          constant_bytes: int = CONSTANT_BYTES) -> None:
        """Puts what `add_weight` adds in the place of the node of that name."""
        del self.nodes[name]
        added = self.add_weight(f"{name}/variable", weight, constant_bytes=constant_bytes)
        value = self.nodes.pop(added)
        value.name = name
        self.nodes[name] = value

    def redirect(self, tensors: Mapping[str, str]) -> None:
        """Makes every consumer of a key read the value instead; chains are followed."""
        ends: dict[str, str] = {}
        for node in self.nodes.values():
            for index, name in enumerate(node.input):
                node.input[index] = _end(names.canonical(name), tensors, ends)

    def become(self, node: NodeDef, op: str, inputs: Iterable[str], **attrs: Any) -> None:
        """Turns `node` into another operation under its name; its control inputs stay."""
        name, kept = node.name, names.control_inputs(node)
        node.Clear()
        node.name, node.op = name, op
        node.input.extend([names.canonical(i) for i in inputs] + kept)
        for key, value in attrs.items():
            attributes.put(node, key, value)

    def prune(self) -> None:
        """Drops every node, weight and function that neither requests nor loading need."""
        alive = self.ancestors(self.interface.roots())
        self.nodes = {name: node for name, node in self.nodes.items() if name in alive}
        used = {shared_name(n) for n in self.nodes.values() if n.op in VARIABLE_OPS}
        self.weights = {name: weight for name, weight in self.weights.items() if name in used}
        if self.library.function:
            self.library = reachable(self.nodes.values(), self.library)


def _end(tensor: str, tensors: Mapping[str, str], ends: dict[str, str]) -> str:
    """The end of the chain that begins at `tensor`; `ends` keeps those that are known."""
    passed = []
    while tensor in tensors and tensor not in ends:
        passed.append(tensor)
        tensor = tensors[tensor]
    last = ends.get(tensor, tensor)
    ends.update(dict.fromkeys(passed, last))
    return last


VARIABLE_OPS = ("VarHandleOp", "VariableV2", "Variable")


def shared_name(variable: NodeDef) -> str:
    """The name that a variable's value goes by: its shared_name, or the node's own."""
    return operations.attribute(variable, "shared_name").s.decode() or variable.name
