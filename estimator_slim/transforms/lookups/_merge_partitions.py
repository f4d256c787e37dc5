"""The partitions of a table, joined to one table that is looked up once.

A partitioned variable is looked up part by part: ids are turned into (part, row), dealt out, and the
rows found are stitched together again. There are two strategies, those of tf.nn.embedding_lookup. Of
five rows in two parts:

    div (Concatenated)    rows 0 1 2 in part 0, 3 4 in part 1
    mod (Interleaved)     rows 0 2 4 in part 0, 1 3 in part 1

Which one a lookup follows is not guessed from names or from the form of its arithmetic: the arithmetic
is run for every id that there is, and some that there are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from estimator_slim.graph import (
    Graph,
    NodeDef,
    Table,
    Weight,
    attribute,
    attributes,
    gathers_rows,
    names,
    tables_of,
)
from estimator_slim.transforms.lookups._partitions import Concatenated, Interleaved, merged_training

_STITCHES = ("ParallelDynamicStitch", "DynamicStitch")
_ELEMENTWISE = ("Add", "AddV2", "Sub", "Mul", "FloorDiv", "FloorMod", "Maximum", "Minimum", "Less",
                "LessEqual", "Greater", "GreaterEqual", "Select", "SelectV2", "Cast", "Identity")
_IDS = "ids:0"
_IDS_AT_ONCE, _BEYOND = 1 << 20, 1000


@dataclass(frozen=True)
class _Stitch:
    """A lookup in parts: `node` stitches what `gathers`, one for each part, found for `ids`.

    Attributes:
      part_of: the tensor that says in which part each of the ids is.
      row_of: the tensor that says in which row of it.
    """

    node: NodeDef
    gathers: list[NodeDef]
    ids: str
    ids_dtype: tf.DType
    part_of: str
    row_of: str


def merge_partitions(graph: Graph) -> None:
    """Makes one lookup of every lookup in parts whose parts nothing else reads, in place.

        Before: ids ─ FloorMod, FloorDiv ─ DynamicPartition ─ GatherV2(part) ... ─ DynamicStitch
        After:  ids ─ GatherV2(table)
    """
    stitches = [s for n in list(graph.nodes.values()) if n.op in _STITCHES
                for s in [_stitch(graph, n)] if s]
    if not stitches:
        return
    by_lookup = {lookup.name: table for table in tables_of(graph) for lookup in table.lookups}
    for parts, group in _groups(stitches, by_lookup):
        weight = _merged(graph, [p.weight for p in parts], group)
        if weight is not None:
            table = graph.add_weight(f"{parts[0].name}/merged", weight)
            for stitch in group:
                _look_up(graph, stitch, table, weight)
            _hand_on_waits(graph, group)
            graph.prune()


def _stitch(graph: Graph, node: NodeDef) -> _Stitch | None:
    count = attribute(node, "N").i
    places, rows = node.input[:count], node.input[count:2 * count]
    gathers = [graph.producer(tensor) for tensor in rows]
    if not all(g.op in ("Gather", "GatherV2") and gathers_rows(graph, g) for g in gathers):
        return None
    dealt, indices = (_dealt(graph, tensors) for tensors in ([g.input[1] for g in gathers], places))
    if dealt is None or indices is None:
        return None
    if graph.source(dealt.input[1]) != graph.source(indices.input[1]):
        return None
    size = _counting(graph, indices.input[0])
    if size is None:
        return None
    return _Stitch(node, gathers, graph.source(size.input[0]), attributes.dtype(size, "T"),
                   dealt.input[1], dealt.input[0])


def _dealt(graph: Graph, tensors: list[str]) -> NodeDef | None:
    """The DynamicPartition whose outputs, all of them and in order, `tensors` are."""
    source = graph.producer(tensors[0])
    if source.op != "DynamicPartition" or attribute(source, "num_partitions").i != len(tensors):
        return None
    outputs = [names.tensor(source.name, port) for port in range(len(tensors))]
    return source if [graph.source(t) for t in tensors] == outputs else None


def _counting(graph: Graph, tensor: str) -> NodeDef | None:
    """The Size node, where `tensor` is range(size(x))."""
    places = graph.producer(tensor)
    if places.op != "Range" or [graph.constant(places.input[i]) for i in (0, 2)] != [0, 1]:
        return None
    size = graph.producer(places.input[1])
    size = graph.producer(size.input[0]) if size.op == "Cast" else size
    return size if size.op == "Size" else None


def _groups(stitches: list[_Stitch], by_lookup: dict[str, Table]) -> Iterator[
        tuple[list[Table], list[_Stitch]]]:
    """(the parts, the stitches that read them), where nothing else reads one of the parts."""
    groups: dict[tuple[str, ...], list[_Stitch]] = {}
    for stitch in stitches:
        if all(g.name in by_lookup for g in stitch.gathers):
            key = tuple(by_lookup[g.name].name for g in stitch.gathers)
            groups.setdefault(key, []).append(stitch)
    for group in groups.values():
        parts = [by_lookup[g.name] for g in group[0].gathers]
        known = {g.name for stitch in group for g in stitch.gathers}
        if not any(p.others or any(lookup.name not in known for lookup in p.lookups) for p in parts):
            yield parts, group


def _merged(graph: Graph, parts: list[Weight], stitches: list[_Stitch]) -> Weight | None:
    """The table whose row i is what every one of `stitches` finds for the id i."""
    first = parts[0]
    if any((p.dtype, p.shape[1:]) != (first.dtype, first.shape[1:]) or p.stored for p in parts):
        return None
    total = sum(p.row_count for p in parts)
    for rule in (Concatenated, Interleaved):
        strategy = rule([p.row_count for p in parts])
        if all(_follows(graph, stitch, strategy, total) for stitch in stitches):
            return Weight(first.dtype, (total, *first.shape[1:]),
                          lambda start, stop: strategy.rows(parts, start, stop),  # noqa: B023
                          origin=first.origin, training=merged_training(parts, strategy))
    return None


def _follows(graph: Graph, stitch: _Stitch, strategy: Concatenated | Interleaved, total: int) -> bool:
    """True if the arithmetic of `stitch` finds every id where `strategy` puts it, and no other id."""
    nodes = _arithmetic(graph, stitch)
    if nodes is None:
        return False
    counts = [graph.weight(g.input[0]).row_count for g in stitch.gathers]  # type: ignore[union-attr]
    with tf.Graph().as_default() as built, tf.compat.v1.Session(graph=built) as session:
        ids = tf.compat.v1.placeholder(stitch.ids_dtype, [None])
        fetched = tf.import_graph_def(tf.compat.v1.GraphDef(node=nodes), {_IDS: ids}, name="arithmetic",
                                      return_elements=[_port(stitch.part_of), _port(stitch.row_of)])
        found = session.make_callable(fetched, [ids])
        for start in range(0, total, _IDS_AT_ONCE):
            known = np.arange(start, min(start + _IDS_AT_ONCE, total))
            if not all(np.array_equal(a, b) for a, b in zip(found(known), strategy.place(known))):
                return False
        part, row = found(np.concatenate([np.arange(-_BEYOND, 0), np.arange(total, total + _BEYOND)]))
    inside = (part >= 0) & (part < len(counts))
    return not np.any(inside & (row >= 0) & (row < np.array(counts)[np.where(inside, part, 0)]))


def _port(tensor: str) -> str:
    return tensor if ":" in tensor else f"{tensor}:0"


def _arithmetic(graph: Graph, stitch: _Stitch) -> list[NodeDef] | None:
    """What turns the ids, here the tensor `_IDS`, into parts and rows, each by itself; or None."""
    nodes: dict[str, NodeDef] = {}
    todo = [stitch.part_of, stitch.row_of]
    while todo:
        tensor = todo.pop()
        name, port = names.split(tensor)
        node = graph.nodes[name]
        value = attributes.constant(node) if node.op == "Const" else None
        is_number = value is not None and not value.ndim
        if port or tensor in graph.interface.fed or not (node.op in _ELEMENTWISE or is_number):
            return None
        if name not in nodes:
            nodes[name] = NodeDef.FromString(node.SerializeToString())
            nodes[name].input[:] = [_IDS if names.canonical(i) == stitch.ids else i for i in node.input]
            todo += [names.canonical(i) for i in nodes[name].input if i != _IDS]
    return list(nodes.values())


def _look_up(graph: Graph, stitch: _Stitch, table: str, weight: Weight) -> None:
    axis = graph.add_constant(f"{stitch.node.name}/axis", np.int32(0))
    graph.become(stitch.node, "GatherV2", [table, stitch.ids, axis], Tparams=weight.dtype,
                 Tindices=stitch.ids_dtype, Taxis=tf.int32, batch_dims=0)


def _hand_on_waits(graph: Graph, stitches: list[_Stitch]) -> None:
    """Gives a lookup the control dependencies that its parts had, and those that others had on them."""
    merged = {g.name: s.node.name for s in stitches for g in s.gathers}
    for stitch in stitches:
        stitch.node.input.extend(i for g in stitch.gathers for i in names.control_inputs(g))
    before = {s.node.name: graph.ancestors([s.node.name]) for s in stitches}
    for node in graph.nodes.values():
        waits = names.control_inputs(node)
        if node.name in merged or not any(i[1:] in merged for i in waits):
            continue
        others = dict.fromkeys(merged.get(i[1:], i[1:]) for i in waits)
        node.input[:] = [*names.data_inputs(node),
                         *(f"^{name}" for name in others if node.name not in before.get(name, ()))]
