"""A normalisation that follows a layer, folded into that layer's kernel and bias.

(x @ k + b) * s + t = x @ (k * s) + (b * s + t), for every layer whose output channels are axes of its
kernel, and for every way to spell the normalisation that `_affine.py` knows.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from estimator_slim.graph import Consumers, Graph, NodeDef, Symbols, Weight
from estimator_slim.transforms.base import Skip
from estimator_slim.transforms.normalisations._affine import ADDITIONS, Affine, affine_of, trains
from estimator_slim.transforms.normalisations._channels import Channels, channels_of, passed_on
from estimator_slim.transforms.normalisations._layers import Layer, layer_of, obstacle


@dataclass(frozen=True)
class _Step:
    """A node behind a layer: an affine one, which goes, or (None) one that regroups, which stays."""

    node: NodeDef
    affine: Affine | None


@dataclass(frozen=True)
class _Fold:
    """A layer, the steps behind it up to the last affine one, and what the layer is to be.

    Attributes:
      kernel: None where it stays as it is.
      bias: float32 [outputs].
    """

    layer: Layer
    steps: tuple[_Step, ...]
    kernel: Weight | None
    bias: np.ndarray


def fold_backward(graph: Graph, ops: tuple[str, ...] = ()) -> list[Skip]:
    """Folds what follows each layer as far as it is affine and nothing else looks at it.

    Args:
      graph: edited in place.
      ops: where given, only what has one of these operations in it is folded.

    Returns:
      What was left alone.
    """
    skips: list[Skip] = []
    layers = [layer for node in graph.nodes.values() if (layer := layer_of(graph, node)) is not None]
    if not layers:
        return skips
    consumers, symbols = Consumers(graph), Symbols(graph)
    folds = [_fold(graph, consumers, symbols, layer, ops, skips) for layer in layers]
    for fold in folds:
        if fold is not None:
            _rewrite(graph, fold)
    return skips


def _fold(graph: Graph, consumers: Consumers, symbols: Symbols, layer: Layer, ops: tuple[str, ...],
          skips: list[Skip]) -> _Fold | None:
    steps = list(_steps(graph, consumers, symbols, layer, skips))
    while steps and steps[-1].affine is None:
        steps.pop()
    affines = [step.affine for step in steps if step.affine is not None]
    folded = [step.node for step in steps if step.affine is not None]
    if not _is_worth_it([node.op for node in folded], ops):
        return None
    total = functools.reduce(Affine.then, affines)
    kernel = layer.scaled_outputs(total.scale) if (total.scale != 1).any() else None
    reason = obstacle(layer, consumers, total, kernel)
    if reason is not None:
        skips.append(Skip(folded[-1].name, reason))
        return None
    return _Fold(layer, tuple(steps), kernel, total.shift.astype(np.float32))


def _steps(graph: Graph, consumers: Consumers, symbols: Symbols, layer: Layer,
           skips: list[Skip]) -> Iterator[_Step]:
    """What follows `layer`, one behind the other."""
    tensor = layer.node.name
    channels = channels_of(symbols, tensor, layer.outputs, first=layer.channels_first)
    while channels is not None:
        only = consumers.only(tensor)
        if only is None:
            skips += _watched(graph, consumers, tensor, channels)
            return
        node, index = only
        affine = affine_of(graph, node, index, channels)
        if affine is None:
            if trains(node):
                skips.append(Skip(node.name, "it normalises by the mean and variance of each batch"))
            channels = passed_on(graph, symbols, node, channels) if index == 0 else None
        if channels is not None:
            yield _Step(node, affine)
        tensor = node.name


def _watched(graph: Graph, consumers: Consumers, tensor: str, channels: Channels) -> Iterator[Skip]:
    """What could be folded if one node alone read `tensor`."""
    for node, index in consumers.of(tensor):
        if node.op not in ADDITIONS and affine_of(graph, node, index, channels) is not None:
            yield Skip(node.name, consumers.obstacle(tensor) or "")


def _is_worth_it(folded: list[str], ops: tuple[str, ...]) -> bool:
    """True if folding saves a node, as it does unless all there is is one addition: that is a bias."""
    if ops:
        return any(op in ops for op in folded)
    return len(folded) > 1 or any(op not in ADDITIONS for op in folded)


def _rewrite(graph: Graph, fold: _Fold) -> None:
    """The layer scales, what regroups stays, and the last affine node adds what is left to add."""
    end, last = fold.layer.node, fold.steps[-1].node
    if fold.kernel is not None:
        end.input[1] = graph.add_weight(f"{end.name}/kernel", fold.kernel)
    for step in fold.steps:
        if step.affine is None:
            step.node.input[0] = end.name
            end = step.node
    if fold.bias.any():
        bias = graph.add_weight(f"{last.name}/bias", Weight.of_array(fold.bias))
        graph.become(last, "BiasAdd", [end.name, bias], T=tf.float32,
                     data_format=fold.layer.bias_order)
    else:
        graph.become(last, end.op, end.input, **end.attr)
