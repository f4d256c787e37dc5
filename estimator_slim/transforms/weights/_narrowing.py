"""What lies between a table that becomes narrower and the kernels behind it.

Nothing else sees a difference: what asks for the shape of rows gets the one that they had.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from estimator_slim.graph import Graph, attributes, names
from estimator_slim.transforms.weights._next_layer import Reached


def narrow_between(graph: Graph, reached: Reached, width: int, rank: int) -> None:
    """Makes all that rows of `width` come by ready for rows of `rank`.

        Before: Reshape(rows, [-1, 3 * width])          Select(Tile(condition), zeros, rows)
        After:  Reshape(rows, [-1, 3 * rank])           SelectV2(condition, zeros, rows)
    """
    for name, count in reached.flattened.items():
        shape = graph.add_constant(f"{name}/narrow", np.array([-1, count * rank], np.int32))
        _reshape(graph, name, shape, tf.int32)
    for name in sorted(reached.reshaped):
        kind = attributes.dtype(graph.nodes[name], "Tshape")
        _reshape(graph, name, _with_last(graph, graph.nodes[name].input[1], rank, name, kind), kind)
    for name in sorted(reached.tiled):
        node = graph.nodes[name]
        condition = graph.producer(node.input[0]).input[0]
        graph.become(node, "SelectV2", [condition, *node.input[1:3]], T=attributes.dtype(node, "T"))
    for name in sorted(reached.shapes):
        _tell_old_shape(graph, name, width)


def _reshape(graph: Graph, name: str, shape: str, kind: tf.DType) -> None:
    node = graph.nodes[name]
    graph.become(node, "Reshape", [node.input[0], shape], T=attributes.dtype(node, "T"), Tshape=kind)


def _with_last(graph: Graph, numbers: str, last: int, name: str, kind: tf.DType) -> str:
    """Adds the list `numbers`, with another last number."""
    known = graph.constant(numbers)
    if known is not None:
        return graph.add_constant(f"{name}/narrow", np.append(known[:-1], last).astype(known.dtype))
    return _appended(graph, numbers, last, f"{name}/narrow", kind)


def _appended(graph: Graph, numbers: str, last: int, name: str, kind: tf.DType) -> str:
    begin, end, stride, add = (
        graph.add_constant(f"{name}/{key}", np.array([value], kind.as_numpy_dtype))
        for key, value in (("begin", 0), ("end", -1), ("stride", 1), ("last", last)))
    first = graph.add("StridedSlice", f"{name}/first", [numbers, begin, end, stride], T=kind, Index=kind,
                      begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0)
    axis = graph.add_constant(f"{name}/axis", np.int32(0))
    return graph.add("ConcatV2", name, [first, add, axis], N=2, T=kind, Tidx=tf.int32)


def _tell_old_shape(graph: Graph, name: str, width: int) -> None:
    node = graph.nodes[name]
    kind = attributes.dtype(node, "out_type")
    shape = graph.add("Shape", f"{name}/of_narrow", [node.input[0]], T=attributes.dtype(node, "T"),
                      out_type=kind)
    told = graph.nodes[_appended(graph, shape, width, f"{name}/told", kind)]
    graph.become(node, "ConcatV2", list(names.data_inputs(told)), N=2, T=kind, Tidx=tf.int32)
    del graph.nodes[told.name]
