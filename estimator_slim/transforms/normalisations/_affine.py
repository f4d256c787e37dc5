"""Operations that do `x * scale + shift` to each channel of a tensor, by constants.

What normalises at serving time is one of them, or several in a row: a fused operation with its four
vectors, or the multiplications and additions that layers and people spell it with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from estimator_slim.graph import Graph, NodeDef, attribute, names
from estimator_slim.transforms.normalisations._channels import Channels

ADDITIONS = ("Add", "AddV2", "Sub", "BiasAdd")
_PRODUCTS = ("Mul", "RealDiv", "Div")
_FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_GLOBAL = "BatchNormWithGlobalNormalization"
NORMALISATIONS = (*_FUSED, _GLOBAL)
_MOST_VALUES = 1 << 20


@dataclass(frozen=True)
class Affine:
    """`x * scale + shift`.

    Attributes:
      scale: float64 [channels].
      shift: float64 [channels].
      subtracts: what it takes from x before it scales, in scaled units: (x - 3) / 0.1 subtracts 30. Once
        folded, a layer scales before it subtracts, and is off by as many times float32's precision. inf
        where nothing scales before something is added.
    """

    scale: np.ndarray
    shift: np.ndarray
    subtracts: float

    def then(self, after: Affine) -> Affine:
        """Both, this one first."""
        with np.errstate(all="ignore"):
            return Affine(self.scale * after.scale, self.shift * after.scale + after.shift,
                          self.subtracts)

    @property
    def is_finite(self) -> bool:
        """True if float32 holds all of it."""
        with np.errstate(all="ignore"):
            values = np.concatenate([self.scale, self.shift]).astype(np.float32)
        return bool(np.isfinite(values).all())


def affine_of(graph: Graph, node: NodeDef, index: int, channels: Channels) -> Affine | None:
    """What `node` does to its input `index`, which has these `channels`; None if that is not affine."""
    if names.control_inputs(node):
        return None
    if node.op in ("Add", "AddV2", "Sub", *_PRODUCTS):
        vector = _vector(graph, node.input[1 - index], channels)
        return None if vector is None else _by_vector(node.op, index, vector)
    if index != 0 or node.op not in ("BiasAdd", *NORMALISATIONS) or not _agrees(node, channels):
        return None
    vectors = [_vector(graph, i, Channels(1, 0, channels.count)) for i in node.input[1:]]
    known = [v for v in vectors if v is not None]
    if len(known) < len(vectors) or trains(node):
        return None
    return Affine(np.ones_like(known[0]), known[0], math.inf) if node.op == "BiasAdd" else (
        _normalised(node, known))


def trains(node: NodeDef) -> bool:
    """True for a normalisation by the mean and variance of the batch at hand."""
    return node.op in _FUSED and attribute(node, "is_training").b


def _vector(graph: Graph, tensor: str, channels: Channels) -> np.ndarray | None:
    """A constant that broadcasts to one value a channel and to no larger shape, float64 [count]."""
    weight = graph.weight(tensor)
    if weight is None or not weight.dtype.is_floating or weight.value_count > _MOST_VALUES:
        return None
    if graph.waits(tensor):
        return None  # it belongs to a loop or a branch, and what is made of it would not
    shape = (1,) * (channels.rank - len(weight.shape)) + weight.shape
    wanted = tuple(channels.count if i == channels.axis else 1 for i in range(channels.rank))
    if len(shape) != len(wanted) or any(d not in (1, w) for d, w in zip(shape, wanted)):
        return None
    return np.broadcast_to(weight.value().reshape(-1).astype(np.float64), channels.count)


def _by_vector(op: str, index: int, vector: np.ndarray) -> Affine | None:
    one, zero = np.ones_like(vector), np.zeros_like(vector)
    if op == "Mul":
        return Affine(vector, zero, 0)
    if op in _PRODUCTS:
        with np.errstate(all="ignore"):
            return Affine(1 / vector, zero, 0) if index == 0 else None
    if op == "Sub":
        return Affine(one, -vector, math.inf) if index == 0 else Affine(-one, vector, math.inf)
    return Affine(one, vector, math.inf)


def _agrees(node: NodeDef, channels: Channels) -> bool:
    """True if `node` counts channels along the same axis."""
    if node.op == _GLOBAL:
        return channels.are_last
    is_first = attribute(node, "data_format").s.startswith(b"NC")
    return channels.axis == (1 if is_first else channels.rank - 1)


def _normalised(node: NodeDef, vectors: list[np.ndarray]) -> Affine:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta."""
    if node.op == _GLOBAL:
        mean, variance, beta, gamma = vectors
        epsilon = attribute(node, "variance_epsilon").f
        gamma = gamma if attribute(node, "scale_after_normalization").b else np.ones_like(gamma)
    else:
        gamma, beta, mean, variance = vectors
        epsilon = attribute(node, "epsilon").f
    with np.errstate(all="ignore"):
        inverse = 1 / np.sqrt(variance + epsilon)
        scale = inverse * gamma
        return Affine(scale, beta - mean * scale, float(np.max(np.abs(mean * inverse), initial=0)))
