"""The features that a parser takes out of serialized tf.Examples and SequenceExamples.

They are read off its node: their keys, types, shapes and defaults. All five operations name what they
take alike, SequenceExamples once for the context and once for the lists of features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.graph import Graph, NodeDef, attribute, names, operations

CONTEXT, LISTS = "context", "lists"  # of a SequenceExample

_PLACES = {"": "", "context_": CONTEXT, "feature_list_": LISTS}  # by how a parser spells them
_DENSE_TYPES = {"": "Tdense", "context_": "Tcontext_dense", "feature_list_": "feature_list_dense_types"}
_OF_EXAMPLES = ("ParseExample", "ParseExampleV2", "ParseSingleExample")
_OF_SEQUENCES = ("ParseSequenceExample", "ParseSequenceExampleV2", "ParseSingleSequenceExample")
PARSERS = frozenset(_OF_EXAMPLES + _OF_SEQUENCES)


@dataclass(frozen=True)
class Feature:
    """A feature of a tf.Example or a SequenceExample.

    Attributes:
      key: its name in the Example.
      dtype: string, int64 or float32.
      tensor: its values, as the parser puts them out.
      shape: of one step of one Example's values; () for sparse and ragged features.
      any_length: an Example holds any number of steps, not one.
      required: an Example without it is refused.
      place: `` in a tf.Example; `context` or `lists` in a SequenceExample.
      count: of steps, where an Example does not hold any number of them.
    """

    key: str
    dtype: tf.DType
    tensor: str
    shape: tuple[int, ...]
    any_length: bool
    required: bool
    place: str = ""
    count: int = 1

    @property
    def step(self) -> int:
        """How many values a step has."""
        return math.prod(self.shape)


def features_of(graph: Graph, node: NodeDef) -> Iterator[Feature]:
    """The features that `node` of `graph`, one of PARSERS, takes."""
    for place in ("",) if node.op in _OF_EXAMPLES else ("context_", "feature_list_"):
        yield from _of_any_length(graph, node, place, "sparse", f"{place}sparse_types")
        yield from _dense(graph, node, place)
        if attribute(node, f"{place}ragged_value_types").list.type:
            yield from _of_any_length(graph, node, place, "ragged", f"{place}ragged_value_types")


def _of_any_length(graph: Graph, node: NodeDef, place: str, kind: str, types: str) -> Iterator[Feature]:
    port = _outputs(node, f"{place}{kind}_values")
    for number, (key, dtype) in enumerate(zip(_keys(graph, node, f"{place}{kind}_keys"),
                                              attribute(node, types).list.type)):
        yield Feature(key, tf.dtypes.as_dtype(dtype), names.tensor(node.name, port + number), (),
                      any_length=True, required=False, place=_PLACES[place])


def _dense(graph: Graph, node: NodeDef, place: str) -> Iterator[Feature]:
    """The dense features; one with an empty default is required, unless it may have any length."""
    port, defaults = _outputs(node, f"{place}dense_values"), _inputs(node, f"{place}dense_defaults")
    described = zip(_keys(graph, node, f"{place}dense_keys"),
                    attribute(node, _DENSE_TYPES[place]).list.type,
                    attribute(node, f"{place}dense_shapes").list.shape)
    for number, (key, dtype, proto) in enumerate(described):
        shape, is_list = tuple(dim.size for dim in proto.dim), _PLACES[place] == LISTS
        any_length = is_list or (bool(shape) and shape[0] < 0)
        default = graph.constant(defaults[number]) if number < len(defaults) else None
        yield Feature(key, tf.dtypes.as_dtype(dtype), names.tensor(node.name, port + number),
                      shape[1:] if any_length and not is_list else shape, any_length,
                      required=is_list or (not any_length and default is not None
                                           and default.size == 0), place=_PLACES[place])


def _keys(graph: Graph, node: NodeDef, name: str) -> list[str]:
    """The keys that an attribute, or inputs, of that name have."""
    listed = attribute(node, name).list.s
    values: list[Any] = [listed] if listed else [graph.constant(one) for one in _inputs(node, name)]
    return [tf.compat.as_str_any(key) for one in values if one is not None for key in np.ravel(one)]


def _inputs(node: NodeDef, name: str) -> list[str]:
    """The tensors that `node` takes as its input `name`."""
    start = 0
    for one, count in operations.inputs_of(node):
        if one.name == name:
            return list(node.input[start:start + count])
        start += count
    return []


def _outputs(node: NodeDef, name: str) -> int:
    """The first output that is part of `name`."""
    port = 0
    for one, count in operations.outputs_of(node, {}):
        if one.name == name:
            break
        port += count
    return port
