"""A normalisation that follows an activation, folded into the layer after it.

DNNClassifier(batch_norm=True) normalises behind the activation, where nothing before it can take the
constants up; the next layer can: (x * s + t) @ k + b = x @ (s[:, None] * k) + (t @ k + b). Where that
layer pads its input with zeros a shift cannot pass, for the zeros are not shifted.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from estimator_slim.graph import Consumers, Graph, NodeDef, Symbols, Weight, names
from estimator_slim.transforms.base import Skip
from estimator_slim.transforms.normalisations._affine import ADDITIONS, Affine, affine_of
from estimator_slim.transforms.normalisations._channels import Channels, channels_of, passed_on
from estimator_slim.transforms.normalisations._layers import Layer, layer_of, obstacle

_MOST_SUBTRACTED = 16.0  # costs four bits of 24; an error of 1e-5 leaves room for seven


@dataclass(frozen=True)
class _Step:
    """A node before a layer, and what it reads: an affine one, or (None) one that regroups."""

    node: NodeDef
    source: str
    affine: Affine | None


@dataclass(frozen=True)
class _Fold:
    """A layer, the steps before it from the nearest on, and what the layer is to be."""

    layer: Layer
    steps: list[_Step]
    kernel: Weight
    bias: np.ndarray


def fold_forward(graph: Graph) -> tuple[bool, list[Skip]]:
    """Folds what precedes each layer as far as it is affine and nothing else looks at it.

    Returns:
      True if there was any such thing, and what was left alone. Layers may now have two biases, one
      behind the other.
    """
    skips: list[Skip] = []
    layers = [layer for node in graph.nodes.values() if (layer := layer_of(graph, node)) is not None]
    if not layers:
        return False, skips
    consumers, symbols = Consumers(graph), Symbols(graph)
    folds = [_fold(graph, consumers, symbols, layer, skips) for layer in layers
             if not layer.is_transposed]
    found = [fold for fold in folds if fold is not None]
    for fold in found:
        _rewrite(graph, fold)
    return bool(found), skips


def _fold(graph: Graph, consumers: Consumers, symbols: Symbols, layer: Layer,
          skips: list[Skip]) -> _Fold | None:
    steps = _scaled_first(list(_steps(graph, consumers, symbols, layer, skips)), skips)
    affines = [step.affine for step in reversed(steps) if step.affine is not None]
    if not affines:
        return None
    total = functools.reduce(Affine.then, affines)
    kernel = layer.scaled_inputs(total.scale)
    reason = obstacle(layer, consumers, total, kernel)
    if reason is None and layer.pads and total.shift.any():
        reason = f"{layer.node.name!r} pads its input with zeros, which it would have to shift"
    if reason is not None:
        skips.append(Skip(next(s.node.name for s in steps if s.affine is not None), reason))
        return None
    return _Fold(layer, steps, kernel, layer.shifted_by(total.shift).astype(np.float32))


def _steps(graph: Graph, consumers: Consumers, symbols: Symbols, layer: Layer,
           skips: list[Skip]) -> Iterator[_Step]:
    """What precedes `layer`, one before the other."""
    tensor = names.canonical(layer.node.input[0])
    channels = channels_of(symbols, tensor, layer.inputs, first=layer.channels_first)
    while channels is not None:
        step = _step(graph, symbols, tensor, channels)
        if step is None:
            return
        reason = consumers.obstacle(tensor)
        if reason is not None:
            if step.affine is not None and step.node.op not in ADDITIONS:
                skips.append(Skip(step.node.name, reason))
            return
        yield step
        tensor = step.source
        channels = channels_of(symbols, tensor, layer.inputs, first=not channels.are_last)


def _step(graph: Graph, symbols: Symbols, tensor: str, channels: Channels) -> _Step | None:
    node = graph.nodes[names.node_of(tensor)]
    if names.control_inputs(node):
        return None
    for index, source in enumerate(node.input[:2]):
        before = channels_of(symbols, source, channels.count, first=not channels.are_last)
        if before is None:
            continue
        affine = affine_of(graph, node, index, before)
        if affine is not None or (index == 0 and passed_on(graph, symbols, node, before) is not None):
            return _Step(node, names.canonical(source), affine)
    return None


def _scaled_first(steps: list[_Step], skips: list[Skip]) -> list[_Step]:
    """`steps` less the farthest ones, so that x is scaled before anything is subtracted from it.

    x - mean may be exact where the difference of x @ k and mean @ k is not.
    """
    while steps and (steps[-1].affine is None or steps[-1].affine.subtracts > _MOST_SUBTRACTED):
        step = steps.pop()
        if step.affine is not None and step.node.op not in ADDITIONS:
            skips.append(Skip(step.node.name, "its mean is so many deviations away from 0 that float32 "
                              "would lose digits of it in the next layer"))
    return steps


def _rewrite(graph: Graph, fold: _Fold) -> None:
    """The layer scales, what regroups stays, and what is left to add is added behind the layer."""
    node, tensor = fold.layer.node, fold.steps[-1].source
    for step in reversed(fold.steps):
        if step.affine is None:
            step.node.input[0] = tensor
            tensor = step.node.name
    kernel = graph.add_weight(f"{node.name}/kernel", fold.kernel)
    node.input[:2] = [tensor, kernel]
    if not fold.bias.any():
        return
    product = graph.add(node.op, f"{node.name}/product", node.input, **node.attr)
    bias = graph.add_weight(f"{node.name}/bias", Weight.of_array(fold.bias))
    graph.become(node, "BiasAdd", [product, bias], T=tf.float32, data_format=fold.layer.bias_order)
