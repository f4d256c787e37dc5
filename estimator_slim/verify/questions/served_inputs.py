"""What a signature is fed: its inputs' types and shapes, and what its strings hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from estimator_slim.graph import Consumers, NodeDef, attribute, inline_calls, names
from estimator_slim.saved_model import Servable
from estimator_slim.verify.questions.contents import held
from estimator_slim.verify.questions.parsers import Feature


@dataclass(frozen=True)
class ServedInput:
    """One input of a signature.

    Attributes:
      key: its name in the signature.
      dtype: of its values.
      shape: None for a dimension of any size; the first one is the batch.
      tensor: that is fed; for a sparse input its values.
      is_sparse: it takes a SparseTensorValue.
      optional: a request may leave it out.
      features: that are parsed out of its strings; () where they are no tf.Examples.
      dense_shape: the tensor of a sparse input's shape.
      wraps: how its strings are wrapped, the outermost first: `base64`.
      any_shape: neither the signature nor the graph says of what shape it is.
    """

    key: str
    dtype: tf.DType
    shape: tuple[int | None, ...]
    tensor: str
    is_sparse: bool
    optional: bool
    features: tuple[Feature, ...]
    dense_shape: str = ""
    wraps: tuple[str, ...] = ()
    any_shape: bool = False

    @property
    def any_batch(self) -> bool:
        """True if it takes any number of rows."""
        return bool(self.shape) and self.shape[0] is None


def signature_inputs(servable: Servable, consumers: Consumers, *,
                     parts: bool = False) -> Iterator[tuple[str, tuple[ServedInput, ...]]]:
    """Each served signature and its inputs, both by key.

    Those that take ragged tensors are left out; or, with `parts`, an input `k` of a ragged tensor is the
    inputs `k.0`, `k.1`, ... of what it consists of.
    """
    for key, signature in sorted(servable.graph.interface.served().items()):
        infos = [(name, info) for name, info in sorted(signature.inputs.items())]
        if parts:
            infos = [part for name, info in infos for part in _tensors(name, info)]
        if all(info.WhichOneof("encoding") != "composite_tensor" for _, info in infos):
            yield key, tuple(_input(servable, consumers, name, info) for name, info in infos)


def without_calls(servable: Servable) -> Servable:
    """The same with what TensorFlow 2 calls inlined, so that the consumers of its inputs are seen."""
    if not servable.graph.library.function:
        return servable
    graph = servable.graph.copy()
    inline_calls(graph)
    return replace(servable, graph=graph)


def _tensors(key: str, info: Any) -> list[tuple[str, Any]]:
    """The tensors of a composite one, flat; any other as it is."""
    if info.WhichOneof("encoding") != "composite_tensor":
        return [(key, info)]
    tensors = [tensor for one in info.composite_tensor.components for _, tensor in _tensors("", one)]
    return [(f"{key}.{number}", tensor) for number, tensor in enumerate(tensors)]


def _input(servable: Servable, consumers: Consumers, key: str, info: Any) -> ServedInput:
    graph, is_sparse = servable.graph, info.WhichOneof("encoding") == "coo_sparse"
    tensor = names.canonical(info.coo_sparse.values_tensor_name if is_sparse else info.name)
    dtype = tf.dtypes.as_dtype(info.dtype)
    wraps, features = (held(graph, consumers, tensor) if dtype == tf.string and not is_sparse
                       else ((), ()))
    node = graph.nodes[names.node_of(tensor)]
    shape = _shape(info)
    if shape is None and not is_sparse:
        shape = _own_shape(node)
    return ServedInput(key, dtype, ((None, None) if is_sparse else (None,)) if shape is None else shape,
                       tensor, is_sparse, not is_sparse and node.op == "PlaceholderWithDefault",
                       features, names.canonical(info.coo_sparse.dense_shape_tensor_name), wraps,
                       any_shape=shape is None)


def _shape(info: Any) -> tuple[int | None, ...] | None:
    """As the signature says; None where it says nothing."""
    return _sizes(info.tensor_shape) if info.HasField("tensor_shape") else None


def _own_shape(node: NodeDef) -> tuple[int | None, ...] | None:
    """As the placeholder says."""
    shape = attribute(node, "shape")
    return _sizes(shape.shape) if shape.HasField("shape") else None


def _sizes(shape: Any) -> tuple[int | None, ...] | None:
    if shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
