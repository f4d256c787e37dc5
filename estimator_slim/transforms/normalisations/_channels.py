"""Where a tensor has its channels, and which operations leave them there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from estimator_slim.graph import Graph, NodeDef, Symbols, names

_REGROUP = ("Squeeze", "ExpandDims", "Reshape", "BatchToSpaceND")


@dataclass(frozen=True)
class Channels:
    """The axis of a tensor along which a layer counts its inputs or outputs.

    Attributes:
      rank: of the tensor, 2 or more.
      axis: the last one, or 1 in NCHW and NCDHW.
      count: its length.
    """

    rank: int
    axis: int
    count: int

    @property
    def are_last(self) -> bool:
        return self.axis == self.rank - 1


def channels_of(symbols: Symbols, tensor: str, count: int, *, first: bool) -> Channels | None:
    """The channels of `tensor`, last or `first` behind the batch; None unless there are `count`."""
    shape = symbols.shape(tensor)
    if shape is None or len(shape) < 2:
        return None
    axis = 1 if first else len(shape) - 1
    return Channels(len(shape), axis, count) if shape[axis] == count else None


def passed_on(graph: Graph, symbols: Symbols, node: NodeDef, channels: Channels) -> Channels | None:
    """The channels behind `node`, if all it does is to regroup the other axes of its first input.

    In row-major order [a, b, c] → [a * b, c] leaves every element in its channel. BatchToSpaceND moves
    and drops positions, but adds none.
    """
    if names.control_inputs(node):
        return None
    if node.op == "Identity":
        return channels
    if node.op not in _REGROUP or not channels.are_last:
        return None
    block = graph.constant(node.input[1]) if node.op == "BatchToSpaceND" else np.zeros(0)
    if block is None or block.size >= channels.rank - 1:
        return None
    return channels_of(symbols, node.name, channels.count, first=False)
