"""sparsify_gather: tables without their zero rows, the others found by a hash table.

A table of a million rows of which 5,000 are not zero becomes one of 5,001 rows, the first of them zeros,
and a hash table of 5,000 entries, id → place. An id that has no entry has place 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.graph import (
    SLICE_BYTES,
    Graph,
    NodeDef,
    Table,
    Weight,
    attributes,
    inside_loops,
    sparse_facts,
    tables_of,
)
from estimator_slim.transforms.base import Skip, Transform

_ENTRY_BYTES = 48  # a row's id on disk, and the id and the place of the row in the hash table
_NODE_BYTES = 4096  # the nodes that look a row up


@dataclass(frozen=True)
class SparsifyGather(Transform):
    """Keeps the rows of a table that are not all zero, where that saves half of its bytes.

        Before: table [N, D] ─ GatherV2(ids) ─ rows
        After:  ids ─ LookupTableFindV2 (row → place, 0 if the row is zero) ─ places
                rows that are not zero [m + 1, D] ─ GatherV2(places) ─ rows

    Lossless. A linear model's weights are like this: rows that training never met are zero. The hash
    table is filled at load, by the init op; ids that no hash bounds are checked, so that those which
    the original refuses are refused.

    Ours: the engine's takes tables [N, 1] of constants alone and fails on the first other one, rounds
    values below 1e-5 to zero, and adds an init op that no loader runs.

    Attributes:
      group_init_node: the name of the init op to make where the servable has none.
      input_checkpoint: accepted; weights are read from the servable's own checkpoint.
    """

    text_name: ClassVar[str] = "sparsify_gather"
    by: ClassVar[str] = "ours"
    group_init_node: str = "group_deps"
    input_checkpoint: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.group_init_node:
            raise OptionError("sparsify_gather(group_init_node=...) takes the name of a node, got ''")

    def rewrite(self, graph: Graph) -> list[Skip]:
        looped, skips = inside_loops(graph), []
        for table in [t for t in tables_of(graph) if t.lookups and _has_rows(t)]:
            ids = sparse_rows(table.weight)
            if ids is None:
                continue
            if (table.others or graph.waits(table.name)
                    or any(node.name in looped for node in table.lookups)):
                skips.append(Skip(table.name, "most of its rows are zero, but it waits for a control "
                                  "dependency, or is read other than by rows, or inside a loop"))
            else:
                self._sparsify(graph, table, ids)
        return skips

    def _sparsify(self, graph: Graph, table: Table, ids: np.ndarray) -> None:
        handle = _add_hash_table(graph, table.name)
        self._run_at_load(graph, _add_initializer(graph, table.name, handle, ids))
        rows = graph.add_weight(f"{table.name}/nonzero", without_zero_rows(table.weight, ids))
        for lookup in table.lookups:
            _look_up(graph, lookup, handle, rows, table.weight.row_count)

    def _run_at_load(self, graph: Graph, initializer: str) -> None:
        init_ops = graph.interface.init_ops or (graph.add("NoOp", self.group_init_node),)
        for name in init_ops:
            graph.nodes[name].input.append(f"^{initializer}")
        graph.interface = replace(graph.interface, init_ops=init_ops,
                                  tables=(*graph.interface.tables, initializer))


def _has_rows(table: Table) -> bool:
    weight = table.weight
    return (bool(weight.shape) and weight.stored is None
            and (weight.dtype.is_floating or weight.dtype.is_integer))


def _add_hash_table(graph: Graph, name: str) -> str:
    name = graph.unique(f"{name}/places")
    return graph.add("HashTableV2", name, key_dtype=tf.int64, value_dtype=tf.int64, container="",
                     shared_name=name, use_node_name_sharing=False)


def _add_initializer(graph: Graph, name: str, handle: str, ids: np.ndarray) -> str:
    keys = graph.add_weight(f"{name}/ids", Weight.of_array(ids.astype(np.int64)))
    bounds = [graph.add_constant(f"{handle}/{bound}", np.int64(value))
              for bound, value in (("first", 1), ("limit", len(ids) + 1), ("step", 1))]
    places = graph.add("Range", f"{handle}/values", bounds, Tidx=tf.int64)
    return graph.add("InitializeTableV2", f"{handle}/init", [handle, keys, places], Tkey=tf.int64,
                     Tval=tf.int64)


def _look_up(graph: Graph, lookup: NodeDef, handle: str, rows: str, row_count: int) -> None:
    """Makes `lookup` gather from `rows` what it gathered from the table of `row_count` rows."""
    name, ids, dtype = lookup.name, lookup.input[1], attributes.dtype(lookup, "Tparams")
    is_bounded = (sparse_facts.never_negative(graph, ids)
                  and sparse_facts.all_below(graph, ids, row_count))
    if attributes.dtype(lookup, "Tindices") != tf.int64:
        ids = graph.add("Cast", f"{name}/ids", [ids], SrcT=tf.int32, DstT=tf.int64, Truncate=False)
    if not is_bounded:
        ids = _checked(graph, name, ids, row_count)
    absent = graph.add_constant(f"{name}/absent", np.int64(0))
    places = graph.add("LookupTableFindV2", f"{name}/places", [handle, ids, absent], Tin=tf.int64,
                       Tout=tf.int64)
    axis = graph.add_constant(f"{name}/axis", np.int32(0))
    graph.become(lookup, "GatherV2", [rows, places, axis], Tparams=dtype, Tindices=tf.int64,
                 Taxis=tf.int32, batch_dims=0)


def _checked(graph: Graph, name: str, ids: str, row_count: int) -> str:
    """`ids`, refused as a gather refuses them where one is below 0 or no row."""
    zero, limit = (graph.add_constant(f"{name}/{bound}", np.int64(value))
                   for bound, value in (("zero", 0), ("rows", row_count)))
    inside = graph.add("LogicalAnd", f"{name}/inside", [
        graph.add("GreaterEqual", f"{name}/not_negative", [ids, zero], T=tf.int64),
        graph.add("Less", f"{name}/below_rows", [ids, limit], T=tf.int64)])
    flat = graph.add("Reshape", f"{name}/flat", [
        inside, graph.add_constant(f"{name}/length", np.array([-1], np.int32))], T=tf.bool,
        Tshape=tf.int32)
    axis = graph.add_constant(f"{name}/all_ids", np.int32(0))
    is_right = graph.add("All", f"{name}/all_inside", [flat, axis], Tidx=tf.int32, keep_dims=False)
    message = graph.add_constant(f"{name}/message",
                                 np.array(f"an id is not in [0, {row_count})".encode()))
    check = graph.add("Assert", f"{name}/Assert", [is_right, message], T=[tf.string], summarize=3)
    return graph.add("Identity", f"{name}/checked", [ids, f"^{check}"], T=tf.int64)


def sparse_rows(weight: Weight) -> np.ndarray | None:
    """The ids of the rows that are not all zero: int64 [m], rising, one at least.

    None where the weight without its zero rows, and with what it takes to find the others, would not
    take less than half of its bytes.
    """
    row_bytes = weight.byte_count // max(1, weight.row_count)
    most = (weight.byte_count // 2 - _NODE_BYTES - row_bytes) // (row_bytes + _ENTRY_BYTES)
    if most < 1:
        return None
    found: list[np.ndarray] = []
    count = 0
    for start, rows in weight.slices():
        used = np.flatnonzero(rows.reshape(len(rows), -1).any(axis=1))
        found.append(used + start)
        count += len(used)
        if count > most:
            return None
    return np.concatenate(found) if count else np.zeros(1, np.int64)


def without_zero_rows(weight: Weight, ids: np.ndarray) -> Weight:
    """The weight [m + 1, ...] of a row of zeros and then rows `ids` [m] of `weight`, read in slices."""

    def read(start: int, stop: int) -> np.ndarray:
        rows = _rows(weight, ids[max(0, start - 1):stop - 1])
        zeros = np.zeros((1 if start == 0 and stop > 0 else 0, *weight.shape[1:]), rows.dtype)
        return np.concatenate([zeros, rows])

    return Weight(weight.dtype, (len(ids) + 1, *weight.shape[1:]), read, origin=weight.origin)


def _rows(weight: Weight, ids: np.ndarray) -> np.ndarray:
    """Rows `ids`, which rise, of `weight`; no more than a slice of it is in memory."""
    result = np.empty((len(ids), *weight.shape[1:]), weight.dtype.as_numpy_dtype)
    step = max(1, SLICE_BYTES * weight.row_count // max(1, weight.byte_count))
    at = 0
    while at < len(ids):
        first = int(ids[at])
        stop = min(first + step, weight.row_count)
        end = int(np.searchsorted(ids, stop))
        result[at:end] = weight.read(first, stop)[ids[at:end] - first]
        at = end
    return result
