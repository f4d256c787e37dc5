"""Rows of large tables, held against the original's one by one, also those that no question asks for.

    original   checkpoint ─ rows of the table
    slim       ids ─ codes, scales, an index ─ rows of the table, as a request finds them

Ids are fed where requests look up. Of each table that are both ends, the rows on both sides of the
borders of the slices in which tables are written, and some from everywhere. What is not compared: rows
that were dropped, tables whose rows are written in another shape (reduce_rank), and those that lie in
other places (the partitions of one, joined).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.graph import SLICE_BYTES, Graph, NodeDef, attributes
from estimator_slim.report import Failure
from estimator_slim.saved_model import Servable, meta_graph_of
from estimator_slim.transforms import LOSSLESS, Bounds
from estimator_slim.verify.answers import LARGE_BYTES, LookedUp, graph_of, looked_up, prefix_of
from estimator_slim.verify.request import Answer, Output, Refusal, Request

_BORDERS, _SAMPLE = 500, 1000  # of a table, at most
_CODES = "/codes"
_PARTS = ("", _CODES, "/kept", f"/kept{_CODES}")  # behind a variable's name: where its rows are written
_EXACT, _CODED = 1e-4, 0.25  # how far a value may be off, as a share of those that were looked at


@dataclass(frozen=True)
class Held:
    """A table whose rows are held against the original's.

    Attributes:
      table: of the original.
      ids: the rows, int64 [n], rising.
      signature: of the slim servable: from `ids` to `rows` and, of an index, `found`.
    """

    table: LookedUp
    ids: np.ndarray
    signature: meta_graph_pb2.SignatureDef

    @property
    def key(self) -> str:
        """What the signature goes by."""
        return f"rows of {self.table.name}"

    def request(self) -> Request:
        """What is asked for these rows."""
        dtype = tf.as_dtype(self.signature.inputs["ids"].dtype).as_numpy_dtype
        return Request(self.key, {"ids": self.ids.astype(dtype)}, "rows")


def held_tables(original: Servable, slim: str, tags: Sequence[str]) -> list[Held]:
    """The large tables of an original of which the slim servable in the directory `slim` has the rows.

    Raises:
      SourceError: one of the two cannot be read.
    """
    prefix = prefix_of(slim)
    if not original.checkpoint or prefix is None:
        return []
    tables = looked_up(graph_of(original.meta_graph), original.meta_graph, original.checkpoint,
                       LARGE_BYTES)
    meta_graph = meta_graph_of(slim, tags)
    graph = graph_of(meta_graph)
    written = {one.name: one for one in looked_up(graph, meta_graph, prefix, 1)} if tables else {}
    return list(_pairs(tables, graph, written))


def wrong_rows(tables: Sequence[Held], answers: Sequence[Answer], bounds: Bounds) -> Iterator[Failure]:
    """A failure for each table of which rows that a slim servable finds are not those of the original.

    Args:
      tables: as of `held_tables`.
      answers: to the request of each; where time ran out, of the first ones.
      bounds: what is allowed of answers, by which it is known whether rows may differ.
    """
    share = _EXACT if bounds == LOSSLESS else max(_CODED, bounds.max_error)
    for held, answer in zip(tables, answers):
        if isinstance(answer, Refusal):
            yield Failure("", "", f"rows of the table {held.table.name!r} cannot be looked up in the "
                                  f"slim servable: {answer.error}: {answer.message}")
        else:
            yield from _wrong(held, answer, share)


def _wrong(held: Held, answer: Mapping[str, Output], share: float) -> Iterator[Failure]:
    rows, axes = answer["rows"], len(held.table.weight.shape) - 1
    lead = rows.shape[:len(rows.shape) - axes]
    if rows.shape[len(lead):] != held.table.weight.shape[1:] or rows.values.shape[1:] != rows.shape[1:]:
        return
    ids = np.resize(held.ids, lead)[rows.rows()].reshape(-1)
    got = rows.values.reshape(len(ids), -1)
    if "found" in answer:
        found = answer["found"].values.reshape(-1)
        ids, got = ids[found], got[found]
    if len(ids):
        want = held.table.weight.rows_at(ids)  # type: ignore[misc]
        want, got = want.reshape(got.shape).astype(np.float64), got.astype(np.float64)
        yield from _far(held, ids, want, got, share)


def _far(held: Held, ids: np.ndarray, want: np.ndarray, got: np.ndarray,
         share: float) -> Iterator[Failure]:
    finite = np.abs(want[np.isfinite(want)])
    allowed = share * finite.max(initial=0.0)
    with np.errstate(invalid="ignore"):
        off = np.where((want == got) | (np.isnan(want) & np.isnan(got)), 0.0, np.abs(want - got))
    off = np.where(np.isnan(off), np.inf, off).max(axis=1)
    wrong = np.flatnonzero(off > allowed)
    if wrong.size:
        first = wrong[0]
        yield Failure("", "", f"{len(wrong)} of {len(ids)} rows of the table {held.table.name!r} are "
                              f"not the original's: row {ids[first]} is off by {off[first]:.3g}, and "
                              f"{allowed:.3g} is allowed")


def _pairs(tables: Sequence[LookedUp], graph: Graph, written: Mapping[str, LookedUp]) -> Iterator[Held]:
    for table in tables:
        part = next((written[table.name + end] for end in _PARTS if table.name + end in written), None)
        signature = _signature(graph, part.lookups[0]) if part and part.lookups else None
        if signature is not None:
            yield Held(table, _ids(table), signature)


def _signature(graph: Graph, lookup: NodeDef) -> meta_graph_pb2.SignatureDef | None:
    """From the ids of a lookup to the rows that are made of what it gathers."""
    rows = lookup.name.removesuffix(_CODES)
    if rows not in graph.nodes or lookup.name not in graph.ancestors([rows]):
        return None
    ids, dtype = lookup.input[1], attributes.dtype(lookup, "Tindices")
    signature = meta_graph_pb2.SignatureDef()
    signature.outputs["rows"].name = rows
    chosen = graph.producer(ids)
    found = graph.producer(chosen.input[0]) if chosen.op == "SelectV2" else None
    if found is not None and found.op == "Equal":
        signature.outputs["found"].name = found.name
        ids, dtype = found.input[1], attributes.dtype(found, "T")
    signature.inputs["ids"].name, signature.inputs["ids"].dtype = ids, dtype.as_datatype_enum
    return signature


def _ids(table: LookedUp) -> np.ndarray:
    count = table.weight.row_count
    step = max(1, SLICE_BYTES * count // max(1, table.weight.byte_count))
    borders = np.arange(step, count, step)
    borders = borders[np.linspace(0, len(borders) - 1, min(len(borders), _BORDERS)).astype(int)]
    found = np.concatenate([[0, count - 1], borders - 1, borders,
                            np.random.default_rng(count).integers(0, count, _SAMPLE)])
    return np.unique(found)
