"""What is known of shapes and of small integer tensors before a request comes: symbols.

A dimension is an int, or a symbol that stands for a number known only at run time. Two dimensions
with the same symbol are equal in every request, which is what lets a Reshape to "the shape it has
anyway" be recognised: TensorFlow's own shape inference only knows that both are unknown.

    x ─ Reshape([Shape(x)[0], 64])      the shape of x is (n, 64), the value of the list (n, 64)

A tensor that a signature feeds is taken as it comes: nothing is concluded from the node behind it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import tensorflow as tf

from estimator_slim.graph import _names as names
from estimator_slim.graph._shape_rules import SHAPES, SMALL, VALUES, Dims, Rule, numbers
from estimator_slim.graph.graph import Graph
from estimator_slim.graph.importing import imported


class Symbols:
    """The shapes and values of a graph's tensors, worked out when asked for."""

    def __init__(self, graph: Graph):
        self._graph = graph
        self._fed = graph.interface.fed
        self._shapes: dict[str, Dims] = {}
        self._values: dict[str, Dims] = {}
        self._understood = imported(graph.graph_def())

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
        return self._understood.get_operation_by_name(node).outputs[port].dtype

    def inferred(self, tensor: str) -> Dims:
        """The shape that TensorFlow infers, each unknown dimension a symbol of its own."""
        node, port = names.split(tensor)
        outputs = self._understood.get_operation_by_name(node).outputs
        shape = outputs[port].shape if port < len(outputs) else tf.TensorShape(None)
        if shape.rank is None:
            return None
        return tuple((tensor, i) if d is None else d for i, d in enumerate(shape.as_list()))

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
        is_ruled = node.op in SHAPES or node.op in VALUES
        return names.data_inputs(node) if is_ruled and tensor not in self._fed else []

    def _settle(self, tensor: str) -> None:
        self._shapes[tensor] = self.inferred(tensor)  # ends a cycle through a loop
        self._values[tensor] = None
        shape = self._by_rule(SHAPES, tensor)
        if shape is not None:
            self._shapes[tensor] = shape
        value = self._by_rule(VALUES, tensor)
        self._values[tensor] = self._elements(tensor) if value is None else value

    def _by_rule(self, rules: Mapping[str, Rule], tensor: str) -> Dims:
        name, port = names.split(tensor)
        node = self._graph.nodes[name]
        rule = None if tensor in self._fed else rules.get(node.op)
        return None if rule is None else rule(self, node, port)

    def _elements(self, tensor: str) -> Dims:
        """A symbol for each element, where their number is known and small."""
        known = numbers(self.shape(tensor))
        if known is None or len(known) > 1 or not self.dtype(tensor).is_integer:
            return None
        count = math.prod(known)
        return tuple((f"{tensor} value", i) for i in range(count)) if count <= SMALL else None
