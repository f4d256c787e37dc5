"""Rows of a table, looked up by the ids of a sparse feature and added up for each example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from estimator_slim.graph import Graph, NodeDef


@dataclass(frozen=True)
class SparseIds:
    """A sparse tensor of ids [examples, ...] whose indices are in order.

    Attributes:
      indices: tensor of int64 [n, rank].
      ids: tensor of integers [n].
      shape: tensor of int64 [rank], the dense shape.
    """

    indices: str
    ids: str
    shape: str


def become_lookup_sum(graph: Graph, node: NodeDef, *, table: str, dtype: tf.DType, ids: SparseIds,
                      ids_dtype: tf.DType, combiner: str = "Sum") -> None:
    """Turns `node` into the sum over each example's rows of `table`; zeros where it has no ids.

        ids ─ Unique ─ GatherV2(table) ─ SparseSegmentSumWithNumSegments(row of each id, examples)

    Args:
      graph: edited in place.
      node: keeps its name.
      table: float tensor [n, width].
      dtype: of the table.
      ids: below n and not negative.
      ids_dtype: int32 or int64.
      combiner: `Sum`, `Mean` or `SqrtN`.
    """
    name = node.name
    unique = graph.add("Unique", f"{name}/unique", [ids.ids], T=ids_dtype, out_idx=tf.int32)
    axis = graph.add_constant(f"{name}/axis", np.int32(0))
    rows = graph.add("GatherV2", f"{name}/rows", [table, unique, axis], Tparams=dtype,
                     Tindices=ids_dtype, Taxis=tf.int32, batch_dims=0)
    examples = _slice(graph, f"{name}/example", ids.indices, [0, 0], [0, 1], keep=1, shrink=2)
    count = _slice(graph, f"{name}/count", ids.shape, [0], [1], keep=0, shrink=1)
    graph.become(node, f"SparseSegment{combiner}WithNumSegments",
                 [rows, f"{unique}:1", examples, count], T=dtype, Tidx=tf.int32,
                 Tsegmentids=tf.int64, Tnumsegments=tf.int64)


def _slice(graph: Graph, name: str, tensor: str, begin: list[int], end: list[int], *, keep: int,
           shrink: int) -> str:
    """Adds `tensor[begin:end]` of an int64 tensor; axes in `keep` whole, those in `shrink` dropped."""
    bounds = [graph.add_constant(f"{name}/{what}", np.array(value, np.int32))
              for what, value in (("begin", begin), ("end", end), ("strides", [1] * len(begin)))]
    return graph.add("StridedSlice", name, [tensor, *bounds], T=tf.int64, Index=tf.int32,
                     begin_mask=keep, end_mask=keep, ellipsis_mask=0, new_axis_mask=0,
                     shrink_axis_mask=shrink)
