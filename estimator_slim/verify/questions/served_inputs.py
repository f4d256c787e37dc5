"""What a signature is fed: its inputs' types and shapes, and the features of the Examples it parses.

Features are read off the nodes that parse serialized tf.Examples: their keys, types, shapes and
defaults.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.graph import Consumers, Graph, NodeDef, attribute, names
from estimator_slim.saved_model import Servable

_PASSED = ("Identity", "Reshape", "Squeeze", "ExpandDims")


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


@dataclass(frozen=True)
class Feature:
    """A feature of a tf.Example.

    Attributes:
      key: its name in the Example.
      dtype: string, int64 or float32.
      tensor: its values, as the parser puts them out.
      shape: of one step of one Example's values; () for sparse and ragged features.
      any_length: an Example holds any number of steps, not one.
      required: an Example without it is refused.
    """

    key: str
    dtype: tf.DType
    tensor: str
    shape: tuple[int, ...]
    any_length: bool
    required: bool

    @property
    def step(self) -> int:
        """How many values a step has."""
        return math.prod(self.shape)


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


def parsed_features(graph: Graph, consumers: Consumers, tensor: str) -> tuple[Feature, ...]:
    """The features that are parsed out of the serialized Examples in `tensor`; () if it holds none."""
    found: dict[str, Feature] = {}
    for node in _parsers(consumers, tensor):
        for feature in _READ[node.op](graph, node):
            if feature.key not in found or feature.required:
                found[feature.key] = feature
    return tuple(found[key] for key in sorted(found))


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


def _parsers(consumers: Consumers, tensor: str) -> Iterator[NodeDef]:
    for node, index in consumers.of(tensor):
        if index == 0 and node.op in _READ:
            yield node
        elif index == 0 and node.op in _PASSED:
            yield from _parsers(consumers, node.name)


def _read_v1(graph: Graph, node: NodeDef) -> Iterator[Feature]:
    sparse, dense = attribute(node, "Nsparse").i, attribute(node, "Ndense").i
    keys = [_scalar(graph, name) for name in node.input[2:2 + sparse + dense]]
    yield from _any_length(node, keys[:sparse], "sparse_types", sparse)
    yield from _dense(graph, node, keys[sparse:], node.input[2 + sparse + dense:], 3 * sparse)


def _read_v2(graph: Graph, node: NodeDef) -> Iterator[Feature]:
    sparse, dense, ragged = ([tf.compat.as_str_any(key) for key in np.ravel(graph.constant(name))]
                             for name in node.input[2:5])
    yield from _any_length(node, sparse, "sparse_types", len(sparse))
    yield from _dense(graph, node, dense, node.input[5:], 3 * len(sparse))
    yield from _any_length(node, ragged, "ragged_value_types", 3 * len(sparse) + len(dense))


def _read_single(graph: Graph, node: NodeDef) -> Iterator[Feature]:
    sparse, dense = ([tf.compat.as_str(key) for key in attribute(node, attr).list.s]
                     for attr in ("sparse_keys", "dense_keys"))
    yield from _any_length(node, sparse, "sparse_types", len(sparse))
    yield from _dense(graph, node, dense, node.input[1:], 3 * len(sparse))


def _any_length(node: NodeDef, keys: list[str], types: str, port: int) -> Iterator[Feature]:
    """The sparse or ragged features, whose values start at output `port`."""
    for number, (key, dtype) in enumerate(zip(keys, attribute(node, types).list.type)):
        yield Feature(key, tf.dtypes.as_dtype(dtype), names.tensor(node.name, port + number), (),
                      any_length=True, required=False)


def _dense(graph: Graph, node: NodeDef, keys: list[str], defaults: Any,
           port: int) -> Iterator[Feature]:
    """The dense features; one with an empty default is required, unless it may have any length."""
    types, shapes = attribute(node, "Tdense").list.type, attribute(node, "dense_shapes").list.shape
    for number, (key, dtype, proto) in enumerate(zip(keys, types, shapes)):
        shape = [dim.size for dim in proto.dim]
        any_length = bool(shape) and shape[0] < 0
        default = graph.constant(defaults[number])
        yield Feature(key, tf.dtypes.as_dtype(dtype), names.tensor(node.name, port + number),
                      tuple(shape[1:] if any_length else shape), any_length,
                      required=not any_length and default is not None and default.size == 0)


def _scalar(graph: Graph, name: str) -> str:
    return tf.compat.as_str_any(np.ravel(graph.constant(name))[0])


_READ = {"ParseExample": _read_v1, "ParseExampleV2": _read_v2, "ParseSingleExample": _read_single}
