"""The part of safe_embedding_lookup_sparse that gives examples without a feature a row of zeros.

TensorFlow fills each empty row with id 0, looks that up, sums, and selects zeros over the result.
A segment sum that is told the number of examples leaves zeros there by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from estimator_slim.graph import Graph, NodeDef, attributes, gathers_rows, names, sparse_facts
from estimator_slim.transforms.base import Skip
from estimator_slim.transforms.lookups._lookup_sum import SparseIds, become_lookup_sum

_SUMS = ("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN")


@dataclass(frozen=True)
class _Match:
    fill: NodeDef      # SparseFillEmptyRows(indices, ids, dense shape, 0)
    lookup: NodeDef    # GatherV2(table, unique filled ids)
    total: NodeDef     # SparseSegment*(lookup, positions in unique, rows)


def rewrite_empty_rows(graph: Graph) -> tuple[bool, list[Skip]]:
    """Replaces each such expansion whose indices are certain to be in order.

        Before: SparseFillEmptyRows ─ Unique ─ GatherV2 ─ SparseSegmentSqrtN ─ Select(empty, 0, ·)
        After:  Unique ─ GatherV2 ─ SparseSegmentSqrtNWithNumSegments

    Returns:
      True if there was any, and those that were left alone.
    """
    changed, skips = False, []
    for node in list(graph.nodes.values()):
        match = _match(graph, node) if node.op in ("Select", "SelectV2") else None
        if match is None:
            continue
        if not sparse_facts.in_row_order(graph, match.fill.input[0]):
            skips.append(Skip(node.name, "the order of its sparse indices is not certain"))
            continue
        _rewrite(graph, node, match)
        changed = True
    return changed, skips


def _match(graph: Graph, select: NodeDef) -> _Match | None:
    is_empty, zeros, total = (graph.producer(i) for i in select.input[:3])
    fill = _filled(graph, is_empty)
    if fill is None or total.op not in _SUMS or zeros.op != "ZerosLike":
        return None
    lookup, unique, rows = (graph.producer(i) for i in total.input[:3])
    rows = graph.producer(rows.input[0]) if rows.op == "Cast" else rows
    if not gathers_rows(graph, lookup):
        return None
    alike = (graph.producer(zeros.input[0]) is total
             and unique.op == "Unique" and graph.source(total.input[1]) == f"{unique.name}:1"
             and graph.source(lookup.input[1]) == unique.name
             and graph.source(unique.input[0]) == f"{fill.name}:1"
             and rows.op == "StridedSlice" and graph.source(rows.input[0]) == fill.name)
    return _Match(fill, lookup, total) if alike else None


def _filled(graph: Graph, tile: NodeDef) -> NodeDef | None:
    """The SparseFillEmptyRows behind `tile(reshape(empty_row_indicator, [-1, 1]), [1, width])`."""
    reshape = graph.producer(tile.input[0]) if tile.op == "Tile" else tile
    if reshape.op != "Reshape":
        return None
    fill, port = graph.producer(reshape.input[0]), names.split(graph.source(reshape.input[0]))[1]
    return fill if fill.op == "SparseFillEmptyRows" and port == 2 else None


def _rewrite(graph: Graph, select: NodeDef, match: _Match) -> None:
    indices, ids, shape = match.fill.input[:3]
    become_lookup_sum(
        graph, select, table=match.lookup.input[0], dtype=attributes.dtype(match.total, "T"),
        ids=SparseIds(indices, ids, shape), ids_dtype=attributes.dtype(match.fill, "T"),
        combiner=match.total.op[len("SparseSegment"):])
