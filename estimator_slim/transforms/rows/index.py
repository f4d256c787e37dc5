"""The index of a table that has lost rows: from an id to the place of its row, by stock operations.

A table of a million rows of which 5,748 are kept becomes one of 5,749 rows, and a sorted list of the
5,748 ids. The last row stands for all others:

    ids ─ LowerBound(sorted ids) ─ place ─┬─ GatherV2(sorted ids) ─ Equal(ids) ─ found
                                          └─ SelectV2(found, place, 5748) ─ GatherV2(rows) ─ rows

The list lies on disk as the steps from one id to the next, two bytes each as a rule, and is added up at
load.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tensorflow as tf

from estimator_slim.graph import (
    CODED,
    Graph,
    NodeDef,
    Stored,
    Symbols,
    Table,
    Weight,
    attribute,
    attributes,
    names,
    shared_name,
    sparse_facts,
)
from estimator_slim.report import Treatment
from estimator_slim.transforms.base import treatment_of
from estimator_slim.transforms.rows._selecting import selected

FINDS = ("LookupTableFindV2", "LookupTableFind")
NODE_BYTES = 4096  # what the nodes of an index take in saved_model.pb, about
_INDEXED = "_slim_rest"  # attribute of the SelectV2 that sends ids without a row to the last row
_DROPPED = "_slim_dropped"  # and the place of another row, where the original has none of the two
FORGOTTEN = "_slim_forgotten"  # of the SelectV2 that answers for words of no row as for unknown ones
_STEPS = (tf.uint8, tf.uint16, tf.int32, tf.int64)


def entry_bytes(count: int, row_count: int) -> int:
    """Bytes on disk of the index of `count` ids below `row_count`, at most as a rule."""
    return count * (2 if row_count < count << 12 else 4)


def keep_rows(graph: Graph, table: Table, ids: np.ndarray, rest: np.ndarray, *,
              is_lossless: bool) -> Treatment:
    """Leaves rows `ids` of a table [n, ...] that only lookups read; all others become the row `rest`.

    Args:
      graph: edited in place.
      table: of `graph`, read by lookups alone.
      ids: int64 [m], rising, one at least.
      rest: the row for all other ids.
      is_lossless: all others are equal to `rest`, so no answer may change.

    Returns:
      What became of it.
    """
    kept = selected(table.weight, ids, rest)
    rows = graph.add_weight(f"{table.name}/kept", kept)
    lists: dict[tf.DType, str] = {}
    symbols = Symbols(graph)
    for lookup in table.lookups:
        dtype = attributes.dtype(lookup, "Tindices")
        if dtype not in lists:
            lists[dtype] = add_list(graph, f"{table.name}/ids", ids, table.weight.row_count, dtype)
        lookup_ids = lookup.input[1]
        shape = symbols.shape(lookup_ids)
        chosen = _look_up(graph, lookup, rows, lists[dtype], len(ids), table.weight.row_count,
                          is_flat=shape is not None and len(shape) == 1)
        if not is_lossless:
            attributes.put(chosen, _DROPPED, int(_another_place(graph, lookup_ids, ids)))
    steps = [part for tensor in lists.values() for part in _stored(graph, tensor).parts()]
    return treatment_of(table.name, table.weight, [kept, *steps], rows=len(ids))


def _another_place(graph: Graph, tensor: str, ids: np.ndarray) -> int:
    """The place of a row that no word of a vocabulary is answered with because it is unknown."""
    node = graph.producer(source_of(graph, tensor))
    unknown = graph.constant(node.input[2]) if node.op in FINDS else None
    return int(unknown is not None and len(ids) > 1 and unknown == ids[0])


def add_list(graph: Graph, name: str, ids: np.ndarray, row_count: int, dtype: tf.DType) -> str:
    """Adds the sorted ids and behind them `row_count`, which is no id; returns their tensor."""
    sorted_ids = np.append(ids, row_count)
    steps = np.diff(sorted_ids, prepend=0)
    kind = next(kind for kind in _STEPS if steps.max() <= kind.max)

    def add_up(graph: Graph, prefix: str, tensors: dict[str, str]) -> str:
        cast = graph.add("Cast", f"{prefix}/wide", [tensors["steps"]], SrcT=kind, DstT=dtype,
                         Truncate=False)
        axis = graph.add_constant(f"{prefix}/axis", np.int32(0))
        return graph.add("Cumsum", f"{prefix}/sums", [cast, axis], T=dtype, Tidx=tf.int32,
                         exclusive=False, reverse=False)

    whole = Weight.of_array(sorted_ids.astype(dtype.as_numpy_dtype))
    parts = {"steps": Weight.of_array(steps.astype(kind.as_numpy_dtype))}
    value = graph.add_weight(name, replace(whole, stored=Stored(parts, add_up)))
    attributes.put(graph.producer(graph.producer(value).input[0]), CODED, True)
    return value


def _stored(graph: Graph, tensor: str) -> Weight:
    """The list of an index, which is a weight."""
    return graph.weights[shared_name(graph.producer(graph.producer(tensor).input[0]))]


def _look_up(graph: Graph, lookup: NodeDef, rows: str, sorted_ids: str, count: int,
             row_count: int, *, is_flat: bool) -> NodeDef:
    """Makes `lookup` gather from the kept `rows` what it gathered from a table of `row_count` rows.

    Returns the SelectV2 that sends ids without a row to the last one.
    """
    name, ids = lookup.name, lookup.input[1]
    dtype, index = attributes.dtype(lookup, "Tparams"), attributes.dtype(lookup, "Tindices")
    if not (sparse_facts.never_negative(graph, ids) and sparse_facts.all_below(graph, ids, row_count)):
        ids = _checked(graph, name, ids, row_count, index)
    found, place = add_search(graph, name, ids, sorted_ids, index, is_flat=is_flat)
    rest = graph.add_constant(f"{name}/rest", np.int32(count))
    chosen = graph.add("SelectV2", f"{name}/row", [found, place, rest], T=tf.int32)
    attributes.put(graph.nodes[chosen], _INDEXED, int(count))
    axis = graph.add_constant(f"{name}/axis", np.int32(0))
    graph.become(lookup, "GatherV2", [rows, chosen, axis], Tparams=dtype, Tindices=tf.int32,
                 Taxis=tf.int32, batch_dims=0)
    return graph.nodes[chosen]


def add_search(graph: Graph, name: str, ids: str, sorted_ids: str, dtype: tf.DType, *,
               is_flat: bool) -> tuple[str, str]:
    """Adds the search for `ids` in a list that `add_list` added.

    Returns:
      The tensors that say which ids are in the list, bool, and at which place each is or would be,
      int32, both in the shape of `ids`.
    """
    one_row = graph.add_constant(f"{name}/one_row", np.array([1, -1], np.int32))
    asked, known = (graph.add("Reshape", f"{name}/{what}", [tensor, one_row], T=dtype, Tshape=tf.int32)
                    for what, tensor in (("asked", ids), ("known", sorted_ids)))
    bound = graph.add("LowerBound", f"{name}/bound", [known, asked], T=dtype, out_type=tf.int32)
    shape = (graph.add_constant(f"{name}/flat", np.array([-1], np.int32)) if is_flat else
             graph.add("Shape", f"{name}/shape", [ids], T=dtype, out_type=tf.int32))
    place = graph.add("Reshape", f"{name}/place", [bound, shape], T=tf.int32, Tshape=tf.int32)
    axis = graph.add_constant(f"{name}/axis", np.int32(0))
    at = graph.add("GatherV2", f"{name}/at", [sorted_ids, place, axis], Tparams=dtype, Tindices=tf.int32,
                   Taxis=tf.int32, batch_dims=0)
    return graph.add("Equal", f"{name}/found", [at, ids], T=dtype, incompatible_shape_error=True), place


def _checked(graph: Graph, name: str, ids: str, row_count: int, dtype: tf.DType) -> str:
    """`ids`, refused as a gather refuses them where one is below 0 or no row."""
    zero, limit = (graph.add_constant(f"{name}/{bound}", dtype.as_numpy_dtype(value))
                   for bound, value in (("zero", 0), ("rows", row_count)))
    inside = graph.add("LogicalAnd", f"{name}/inside", [
        graph.add("GreaterEqual", f"{name}/not_negative", [ids, zero], T=dtype),
        graph.add("Less", f"{name}/below_rows", [ids, limit], T=dtype)])
    flat = graph.add("Reshape", f"{name}/all", [
        inside, graph.add_constant(f"{name}/length", np.array([-1], np.int32))], T=tf.bool,
        Tshape=tf.int32)
    axis = graph.add_constant(f"{name}/all_ids", np.int32(0))
    is_right = graph.add("All", f"{name}/all_inside", [flat, axis], Tidx=tf.int32, keep_dims=False)
    message = graph.add_constant(f"{name}/message",
                                 np.array(f"an id is not in [0, {row_count})".encode()))
    check = graph.add("Assert", f"{name}/Assert", [is_right, message], T=[tf.string], summarize=3)
    return graph.add("Identity", f"{name}/checked", [ids, f"^{check}"], T=dtype)


# ---- what verification asks of it


def send_to_first_row(graph_def: tf.compat.v1.GraphDef) -> bool:
    """Sends ids that have lost their row to one of the first two in place of the last.

    Answers of a servable change by it exactly where they hang on such ids, words that are answered as
    unknown ones (fill=keep_oov) among them. An id whose row is stored once with others that are equal
    has not lost it.

    Returns:
      False where no id has lost its row, and nothing is edited.
    """
    dropped = [node for node in graph_def.node if _DROPPED in node.attr]
    for node in dropped:
        first = graph_def.node.add(name=f"{node.name}/first", op="Const")
        attributes.put(first, "dtype", tf.int32)
        attributes.put(first, "value", np.int32(attribute(node, _DROPPED).i))
        node.input[2] = first.name
    for node in graph_def.node:
        if FORGOTTEN in node.attr:
            node.input[2] = node.input[1]
    return bool(dropped)


def kept_ids(graph: Graph) -> dict[str, np.ndarray]:
    """Tensor that ids come from (a hash, a vocabulary, a feature) → the ids that have a row, int64.

    Of several tables that read it, those that have a row in all.
    """
    found: dict[str, np.ndarray] = {}
    for node in graph.nodes.values():
        if _INDEXED in node.attr:
            equal = graph.producer(node.input[0])
            weight = graph.weight(graph.producer(equal.input[0]).input[0])
            source = source_of(graph, equal.input[1])
            if weight is not None:
                ids = weight.value()[:-1].astype(np.int64)
                found[source] = np.intersect1d(found.get(source, ids), ids)
    return found


def source_of(graph: Graph, tensor: str) -> str:
    """Where ids come from, behind what only moves them about."""
    while True:
        source = graph.source(tensor)
        node, port = graph.nodes[names.node_of(source)], names.split(source)[1]
        moved = (node.op in ("Reshape", "Identity", "Cast", "GatherV2", "Squeeze", "ExpandDims")
                 or (node.op, port) == ("Unique", 0))
        if (node.op, port) == ("SparseFillEmptyRows", 1):
            tensor = node.input[1]
        elif moved and source not in graph.interface.fed:
            tensor = node.input[0]
        elif node.op in ("SelectV2", "Select"):
            tensor = node.input[1]
        else:
            return source

