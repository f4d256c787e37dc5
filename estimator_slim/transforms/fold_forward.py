"""A scale and a shift that follow an activation, folded into the layer after it.

DNNClassifier(batch_norm=True) normalises behind the activation, where nothing before it can take the
constants up; the next layer can: (x * s + t) @ k + b = x @ (s[:, None] * k) + (t @ k + b), exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.graph.weight import Weight

_ADDS, _BIASES = ("Add", "AddV2"), ("Add", "AddV2", "BiasAdd")


@dataclass(frozen=True)
class _Affine:
    """`x * scale + shift`; scale and shift are float vectors [n]."""

    x: str
    scale: np.ndarray
    shift: np.ndarray


def fold_forward(graph: Graph) -> None:
    """Folds every such scale and shift that has one consumer, a MatMul by a kernel of its own."""
    for node in list(graph.nodes.values()):
        if node.op == "MatMul" and not node.attr["transpose_a"].b and not node.attr["transpose_b"].b:
            kernel = graph.weight(node.input[1])
            if kernel is None or kernel.dtype != tf.float32 or len(kernel.shape) != 2:
                continue
            consumers = graph.consumers()  # afresh: an earlier fold has changed them
            affine = _affine(graph, consumers, node.input[0], kernel.shape[0])
            if affine is not None and _sole(graph, consumers, graph.source(node.input[1])):
                _fold(graph, consumers, node, kernel, affine)


def _affine(graph: Graph, consumers: Mapping, tensor: str, size: int) -> _Affine | None:
    """What `tensor` is of the tensor that it is made from, or None if it is no affine of another."""
    x, scale, shift = tensor, np.ones(size, np.float32), np.zeros(size, np.float32)
    for ops in (_ADDS, ("Mul",)):
        node = graph.nodes[names.node_of(x)]
        if node.op in ops and len(node.input) == 2 and _sole(graph, consumers, x):
            inner, vector = _by_vector(graph, node, size)
            if vector is not None:
                x = inner
                scale, shift = (scale, vector) if ops is _ADDS else (vector, shift)
    return None if x == tensor else _Affine(x, scale, shift)


def _by_vector(graph: Graph, node: NodeDef, size: int) -> tuple[str, np.ndarray | None]:
    """(the other input, the constant) of an operation with a constant [size] or [1, size]."""
    for constant, other in ((1, 0), (0, 1)):
        value = graph.constant(node.input[constant])
        if value is not None and value.dtype == np.float32 and value.shape in ((size,), (1, size)):
            return node.input[other], value.reshape(size)
    return node.input[0], None


def _sole(graph: Graph, consumers: Mapping, tensor: str) -> bool:
    """True if one node reads `tensor` and no signature feeds or fetches it."""
    promised = graph.interface.inputs() + graph.interface.outputs()
    return len(consumers.get(names.canonical(tensor), ())) == 1 and tensor not in promised


def _fold(graph: Graph, consumers: Mapping, matmul: NodeDef, kernel: Weight, affine: _Affine) -> None:
    def read(start: int, stop: int) -> np.ndarray:
        return kernel.read(start, stop) * affine.scale[start:stop, None]

    shift = np.zeros(kernel.shape[1])
    for start, rows in kernel.slices():
        shift += affine.shift[start:start + len(rows)].astype(np.float64) @ rows
    name = matmul.name
    folded = graph.add_weight(f"{name}/kernel", replace(kernel, read=read, stored=None))
    bias = _bias_after(graph, consumers, matmul)
    if bias is not None:
        node, index = bias
        shift += graph.constant(node.input[index]).reshape(-1)
        matmul.input[0], matmul.input[1] = affine.x, folded
        node.input[index] = graph.add_constant(f"{node.name}/bias", shift.astype(np.float32))
    else:
        product = graph.add("MatMul", f"{name}/product", [affine.x, folded], T=tf.float32,
                            transpose_a=False, transpose_b=False)
        vector = graph.add_constant(f"{name}/bias", shift.astype(np.float32))
        graph.become(matmul, "BiasAdd", [product, vector], T=tf.float32)


def _bias_after(graph: Graph, consumers: Mapping, matmul: NodeDef) -> tuple[NodeDef, int] | None:
    """The (node, input index) that adds a constant vector to `matmul`, if nothing else reads it."""
    readers = consumers.get(matmul.name, ())
    if len(readers) != 1 or not _sole(graph, consumers, matmul.name):
        return None
    node, index = readers[0]
    value = graph.constant(node.input[1 - index]) if node.op in _BIASES else None
    width = graph.weight(matmul.input[1])
    is_vector = value is not None and width is not None and value.shape == (width.shape[1],)
    return (node, 1 - index) if is_vector else None
