"""Rows that are equal bit for bit, stored once: merge_identical_rows, and sparsify_gather for zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from estimator_slim.errors import OptionError
from estimator_slim.graph import Graph, Table, Weight, inside_loops, tables_of
from estimator_slim.transforms.base import Skip, Told, Transform
from estimator_slim.transforms.rows.index import NODE_BYTES, entry_bytes, keep_rows

_WORTH = 0.5  # of its bytes that a table may keep at most
_SAMPLES, _SAMPLE_ROWS = 64, 128


@dataclass(frozen=True)
class MergeIdenticalRows(Transform):
    """Stores the row that most rows of a table are equal to once, where that saves half of its bytes.

        Before: weights [N, 1], 95 % of them 0 ─ GatherV2(ids) ─ rows
        After:  ids ─ LowerBound(sorted ids of the others) ... ─ place
                the others and one zero [m + 1, 1] ─ GatherV2(places) ─ rows

    Lossless: equal means bit for bit. An FTRL with L1 leaves most rows of a linear model zero, and words
    that training never met have the row that all started from.
    """

    text_name: ClassVar[str] = "merge_identical_rows"
    by: ClassVar[str] = "ours"

    def rewrite(self, graph: Graph) -> list[Told]:
        looped = inside_loops(graph)
        told: list[Told] = []
        for table in [t for t in tables_of(graph) if t.lookups and _has_rows(t.weight)]:
            row = self._row(table.weight)
            ids = None if row is None else _others(table.weight, row)
            if row is None or ids is None:
                continue
            if (table.others or graph.waits(table.name)
                    or any(node.name in looped for node in table.lookups)):
                told.append(Skip(table.name, "most of its rows are equal, but it waits for a control "
                                 "dependency, or is read other than by rows, or inside a loop"))
            else:
                told.append(_keep(graph, table, ids, row))
        return told

    def _row(self, weight: Weight) -> np.ndarray | None:
        """The bytes of the row that most rows of a sample are, uint8 [bytes]; None where there is none.

        A row that half of all rows are equal to is in any sample, many times.
        """
        rows, counts = np.unique(_bits(_sample(weight)), axis=0, return_counts=True)
        return rows[counts.argmax()] if 4 * counts.max() > counts.sum() else None


@dataclass(frozen=True)
class SparsifyGather(MergeIdenticalRows):
    """Keeps the rows of a table that are not all zero, where that saves half of its bytes.

        Before: table [N, D] ─ GatherV2(ids) ─ rows
        After:  ids ─ LowerBound(sorted ids of rows that are not zero) ... ─ place
                rows that are not zero and one zero [m + 1, D] ─ GatherV2(places) ─ rows

    Lossless; merge_identical_rows does the same for any row. Ids that no hash bounds are checked, so
    that those which the original refuses are refused.

    Ours: the engine's takes tables [N, 1] of constants alone and fails on the first other one, rounds
    values below 1e-5 to zero, and adds an init op that no loader runs.

    Attributes:
      group_init_node: accepted; nothing has to be initialised.
      input_checkpoint: accepted; weights are read from the servable's own checkpoint.
    """

    text_name: ClassVar[str] = "sparsify_gather"
    group_init_node: str = "group_deps"
    input_checkpoint: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.group_init_node:
            raise OptionError("sparsify_gather(group_init_node=...) takes the name of a node, got ''")

    def _row(self, weight: Weight) -> np.ndarray:
        return np.zeros(_row_bytes(weight), np.uint8)


def _keep(graph: Graph, table: Table, ids: np.ndarray, row: np.ndarray) -> Told:
    rest = row.view(table.weight.dtype.as_numpy_dtype).reshape(table.weight.shape[1:])
    return keep_rows(graph, table, ids if len(ids) else np.zeros(1, np.int64), rest, is_lossless=True)


def _has_rows(weight: Weight) -> bool:
    return (bool(weight.shape) and weight.value_count > 0 and weight.byte_count > 2 * NODE_BYTES
            and weight.stored is None and (weight.dtype.is_floating or weight.dtype.is_integer))


def _row_bytes(weight: Weight) -> int:
    return weight.byte_count // weight.row_count


def _others(weight: Weight, row: np.ndarray) -> np.ndarray | None:
    """The rows that are not `row`: int64 [m], rising; None where storing it once saves too little."""
    most = (_WORTH * weight.byte_count - NODE_BYTES - _row_bytes(weight)) // (_row_bytes(weight) + 2)
    found: list[np.ndarray] = []
    count = 0
    for start, rows in weight.slices():
        found.append(start + np.flatnonzero((_bits(rows) != row).any(axis=1)))
        count += len(found[-1])
        if count > most:
            return None
    after = (count + 1) * _row_bytes(weight) + entry_bytes(count, weight.row_count) + NODE_BYTES
    return None if after > _WORTH * weight.byte_count else np.concatenate(found).astype(np.int64)


def _sample(weight: Weight) -> np.ndarray:
    """Rows from all over the weight."""
    return np.concatenate([weight.read(*run) for run in weight.spread(_SAMPLES, _SAMPLE_ROWS)])


def _bits(rows: np.ndarray) -> np.ndarray:
    """The bytes of each row: uint8 [n, bytes of a row]."""
    return np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
