"""drop_untrained_rows: tables without the rows that training never touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from estimator_slim.errors import OptionError
from estimator_slim.freezing import Handles
from estimator_slim.graph import SLICE_BYTES, Graph, Table, inside_loops, tables_of
from estimator_slim.transforms.base import Skip, Told, Transform
from estimator_slim.transforms.bounds import LOSSLESS, Bounds
from estimator_slim.transforms.rows._vocabularies import forget_untrained_words
from estimator_slim.transforms.rows.index import NODE_BYTES, entry_bytes, keep_rows

ZERO, KEEP_OOV = "zero", "keep_oov"
_WORTH = 0.75  # of its bytes that a table may keep at most: the index costs time, too


@dataclass(frozen=True)
class DropUntrainedRows(Transform):
    """Drops the rows of embedding tables that training never touched; they hold random start values.

        Before: table [1000000, D] ─ GatherV2(ids) ─ rows
        After:  ids ─ LowerBound(5748 sorted ids) ... ─ place, 5748 if the row was dropped
                kept [5749, D] ─ GatherV2(places) ─ rows, the last of which is zeros

    Which rows were trained is told by the optimizer's slots in the training checkpoint, which an
    exporter has and `optimize_saved_model(checkpoint=...)` takes. A table of which that is not certain
    stays as it is, and the report says why: it was warm-started, say, and rows that training did not
    touch hold what somebody put there.

    Answers that hang on rows that were dropped change: to the original they were random vectors.

    Attributes:
      fill: `zero`: an id without a row adds zeros. `keep_oov`: a word of a vocabulary that was never
        trained is answered like one that is out of it; other ids add zeros.
      random: tables (by the names of their variables) that are known to have started from random
        numbers, where no `.meta` file beside the checkpoint says what they started from, or where it
        says that a checkpoint did, as model_to_estimator writes one of any Keras model.
    """

    text_name: ClassVar[str] = "drop_untrained_rows"
    by: ClassVar[str] = "ours"
    lossy: ClassVar[bool] = True
    reads_checkpoint: ClassVar[bool] = True
    fill: str = ZERO
    random: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fill not in (ZERO, KEEP_OOV):
            raise OptionError(f"drop_untrained_rows(fill=...) takes zero or keep_oov, got {self.fill!r}")

    @property
    def bounds(self) -> Bounds:
        """None of its own: answers that hang on dropped rows are judged apart, others do not change."""
        return LOSSLESS

    def rewrite(self, graph: Graph) -> list[Told]:
        looped, handles = inside_loops(graph), Handles(graph)
        tables = [table for table in tables_of(graph) if table.weight.dtype.is_floating]
        found = [table for table in tables if table.lookups]
        if found and all(table.weight.training is None for table in found):
            return [Skip("", "there is no training checkpoint; an exporter has one, and otherwise give "
                             "checkpoint=...")]
        told: list[Told] = [
            Skip(table.name, "a loop, a branch or a function reads it by its handle")
            for table in tables if table.weight.by_handle and handles.gathers_rows(table.name)]
        kept: list[tuple[Table, np.ndarray]] = []
        for table in found:
            ids = trained_ids(table)
            reason = _reason_to_skip(graph, table, ids, looped)
            if reason:
                told.append(Skip(table.name, reason))
            else:
                kept.append((table, ids))
        if self.fill == KEEP_OOV:
            forget_untrained_words(graph, kept)
        for table, ids in kept:
            rest = np.zeros(table.weight.shape[1:], table.weight.dtype.as_numpy_dtype)
            told.append(keep_rows(graph, table, ids if len(ids) else np.zeros(1, np.int64), rest,
                                  is_lossless=False))
        return told


def trained_ids(table: Table) -> np.ndarray:
    """The rows of a table that training may have changed: int64 [m], rising."""
    training = table.weight.training
    if training is None or training.unknown:
        return np.zeros(0, np.int64)
    count = table.weight.row_count
    step = max(1, SLICE_BYTES * count // max(1, table.weight.byte_count))
    found = [start + np.flatnonzero(training.trained(start, min(start + step, count)))
             for start in range(0, count, step)]
    return np.concatenate(found).astype(np.int64) if found else np.zeros(0, np.int64)


def _reason_to_skip(graph: Graph, table: Table, ids: np.ndarray, looped: set[str]) -> str | None:
    weight = table.weight
    if weight.training is None:
        return "it is in no training checkpoint"
    if weight.training.unknown:
        return weight.training.unknown
    if table.others:
        return f"something besides lookups reads it ({table.others[0].name})"
    if graph.waits(table.name) or any(node.name in looped for node in table.lookups):
        return "it is read inside a loop, or waits for a control dependency"
    row_bytes = weight.byte_count // max(1, weight.row_count)
    after = (len(ids) + 1) * row_bytes + entry_bytes(len(ids), weight.row_count) + NODE_BYTES
    if after > _WORTH * weight.byte_count:
        return (f"{len(ids):,} of its {weight.row_count:,} rows were trained: without the others it "
                f"would take {after:,} of {weight.byte_count:,} bytes, which is not worth the index")
    return None
