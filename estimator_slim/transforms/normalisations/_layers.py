"""Layers that multiply by a kernel, and what a scale or a shift beside them makes of that kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from estimator_slim.graph import Consumers, Graph, NodeDef, Weight, attribute
from estimator_slim.transforms.normalisations._affine import Affine

_AXES = {"MatMul": (2, 0, (1,)), "Conv2D": (4, 2, (3,)), "Conv3D": (5, 3, (4,)),
         "DepthwiseConv2dNative": (4, 2, (2, 3))}


@dataclass(frozen=True)
class Layer:
    """A node that multiplies its first input by a constant kernel.

    Attributes:
      node: Conv2D, Conv3D, DepthwiseConv2dNative or MatMul.
      kernel: its second input.
      input_axis: the kernel's axis of input channels.
      output_axes: the kernel's axes that make up the output channels, slowest first.
    """

    node: NodeDef
    kernel: Weight
    input_axis: int
    output_axes: tuple[int, ...]

    @property
    def inputs(self) -> int:
        """The number of input channels (of one group)."""
        return self.kernel.shape[self.input_axis]

    @property
    def outputs(self) -> int:
        """The number of output channels."""
        return math.prod(self.kernel.shape[a] for a in self.output_axes)

    @property
    def channels_first(self) -> bool:
        """True in NCHW and NCDHW."""
        return self.node.op != "MatMul" and attribute(self.node, "data_format").s.startswith(b"NC")

    @property
    def bias_order(self) -> str:
        """The data_format of a BiasAdd behind it."""
        return "NCHW" if self.channels_first else "NHWC"

    @property
    def is_transposed(self) -> bool:
        """True for a MatMul whose inputs are not [batch, inputs] and [inputs, outputs]."""
        return self.node.op == "MatMul" and any(attribute(self.node, f"transpose_{x}").b for x in "ab")

    @property
    def pads(self) -> bool:
        """True if the kernel may meet zeros around the input."""
        if self.node.op == "MatMul":
            return False
        padding = attribute(self.node, "padding").s
        is_pointwise = math.prod(self.kernel.shape[:self.input_axis]) == 1
        return padding != b"VALID" and not (padding == b"SAME" and is_pointwise)

    def scaled_outputs(self, scale: np.ndarray) -> Weight:
        """The kernel that makes every output `scale` [outputs] times as large."""
        return _scaled(self.kernel, scale, self.output_axes)

    def scaled_inputs(self, scale: np.ndarray) -> Weight:
        """The kernel for inputs that are yet to be multiplied by `scale` [inputs]."""
        return _scaled(self.kernel, scale, (self.input_axis,))

    def shifted_by(self, shift: np.ndarray) -> np.ndarray:
        """What is added to each output if `shift` [inputs] is added to every input; float64 [outputs].

        For layers that neither pad nor transpose.
        """
        others = tuple(a for a in range(len(self.kernel.shape)) if a not in self.output_axes)
        weight = _scaled(self.kernel, shift, (self.input_axis,), np.float64)
        total = np.zeros([self.kernel.shape[a] for a in self.output_axes])
        for _, rows in weight.slices():
            total += rows.sum(axis=others)
        return total.reshape(-1)


def layer_of(graph: Graph, node: NodeDef) -> Layer | None:
    """`node` as a layer, or None if it is none or its kernel is not constant."""
    if node.op not in _AXES:
        return None
    rank, input_axis, output_axes = _AXES[node.op]
    kernel = graph.weight(node.input[1])
    if kernel is None or len(kernel.shape) != rank:
        return None
    if node.op == "MatMul" and attribute(node, "transpose_b").b:
        input_axis, output_axes = 1, (0,)
    return Layer(node, kernel, input_axis, output_axes)


def obstacle(layer: Layer, consumers: Consumers, affine: Affine, kernel: Weight | None) -> str | None:
    """Why `layer` cannot take up `affine` by `kernel` (None: with the one it has), or None if it can."""
    name = layer.node.name
    if layer.kernel.dtype != tf.float32:
        return f"the kernel of {name!r} holds {layer.kernel.dtype.name}"
    if not affine.is_finite:
        return "float32 does not hold its constants"
    if kernel is None:
        return None
    if layer.kernel.stored is not None:
        return f"the kernel of {name!r} is stored as codes already"
    if not consumers.are_alone_with(layer.node.input[1]):
        return f"something else reads the kernel of {name!r}, too"
    return None if _is_finite(kernel) else f"float32 does not hold its product with {name!r}'s kernel"


def _is_finite(weight: Weight) -> bool:
    with np.errstate(all="ignore"):
        return all(np.isfinite(rows).all() for _, rows in weight.slices())


def _scaled(kernel: Weight, scale: np.ndarray, axes: tuple[int, ...],
            dtype: type = np.float32) -> Weight:
    """`kernel` times one factor for each index along `axes`, by reference and rounded once."""
    factor = scale.reshape([d if i in axes else 1 for i, d in enumerate(kernel.shape)])

    def read(start: int, stop: int) -> np.ndarray:
        rows = kernel.read(start, stop)
        return (rows * (factor[start:stop] if 0 in axes else factor)).astype(dtype)

    return replace(kernel, read=read, stored=None)
