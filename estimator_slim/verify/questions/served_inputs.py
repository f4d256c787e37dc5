"""What a signature is fed: its inputs' types and shapes, and the features of the Examples it parses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from estimator_slim.graph import names
from estimator_slim.saved_model.reader import Servable
from estimator_slim.verify.questions.parsing_spec import Feature, parsed_features
from estimator_slim.verify.questions.readers import Consumers


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
    """

    key: str
    dtype: tf.DType
    shape: tuple[int | None, ...]
    tensor: str
    is_sparse: bool
    optional: bool
    features: tuple[Feature, ...]
    dense_shape: str = ""

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
            infos = [part for name, info in infos for part in _parts(name, info)]
        if all(info.WhichOneof("encoding") != "composite_tensor" for _, info in infos):
            yield key, tuple(_input(servable, consumers, name, info) for name, info in infos)


def _parts(key: str, info: Any) -> list[tuple[str, Any]]:
    """The tensors of a composite one, flat; any other as it is."""
    if info.WhichOneof("encoding") != "composite_tensor":
        return [(key, info)]
    tensors = [tensor for one in info.composite_tensor.components for _, tensor in _parts("", one)]
    return [(f"{key}.{number}", tensor) for number, tensor in enumerate(tensors)]


def _input(servable: Servable, consumers: Consumers, key: str, info: Any) -> ServedInput:
    graph, is_sparse = servable.graph, info.WhichOneof("encoding") == "coo_sparse"
    tensor = names.canonical(info.coo_sparse.values_tensor_name if is_sparse else info.name)
    dtype = tf.dtypes.as_dtype(info.dtype)
    features = (parsed_features(graph, consumers, tensor)
                if dtype == tf.string and not is_sparse else ())
    optional = not is_sparse and graph.nodes[names.node_of(tensor)].op == "PlaceholderWithDefault"
    return ServedInput(key, dtype, _shape(info, is_sparse), tensor, is_sparse, optional, features,
                       names.canonical(info.coo_sparse.dense_shape_tensor_name))


def _shape(info: Any, is_sparse: bool) -> tuple[int | None, ...]:
    """As the signature says; where it says nothing: rows, and for a sparse input columns."""
    if info.tensor_shape.unknown_rank:
        return (None, None) if is_sparse else (None,)
    return tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
