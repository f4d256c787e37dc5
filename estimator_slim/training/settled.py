"""One pass over a table, slice by slice, after which a bit a row says whether training moved it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from estimator_slim.graph import SLICE_BYTES, Training
from estimator_slim.training.drawn import require_drawn
from estimator_slim.training.evidence import Evidence
from estimator_slim.training.unknown import KEEP_FIRST, Unknown

_FAINT = 0.05  # of the trained rows: more, and there are many others of which nothing shows
_FEW = 8  # importance is kept where at most one row in so many was trained


@dataclass(frozen=True)
class _Found:
    """What the pass found.

    Attributes:
      bits: whether a row was trained, eight rows a byte.
      seen, faint: the numbers of rows that were trained, and of those that the sums hardly show.
      ids: of rows that were trained, rising; None where they are many.
      importance: of these, float32.
    """

    evidence: Evidence
    bits: np.ndarray
    seen: int
    faint: int
    ids: np.ndarray | None
    importance: np.ndarray

    def trained(self, start: int, stop: int) -> np.ndarray:
        bits = np.unpackbits(self.bits[start // 8:(stop + 7) // 8]).astype(bool)
        return bits[start % 8:start % 8 + stop - start]

    def counts(self, start: int, stop: int) -> np.ndarray:
        if self.ids is None:
            return self.evidence.rows(start, stop).importance
        found = np.zeros(stop - start, np.float32)
        inside = slice(*np.searchsorted(self.ids, [start, stop]))
        found[self.ids[inside] - start] = self.importance[inside]
        return found


def settled(evidence: Evidence, drawn: np.ndarray | None, others: Iterable[Evidence] = ()) -> Training:
    """What there is to know of each row.

    Args:
      drawn: a sample of the random numbers from which it started, [n]; None where it did not.
      others: of the other parts of its table, read where no row of this part was trained.

    Raises:
      Unknown: untrained rows are of another distribution, or small gradients left no trace.
      SourceError: what is compared is damaged.
    """
    found = _found(evidence)
    if evidence.absorbing:
        _require_clear([found] if found.seen else [found, *map(_found, others)])
    if drawn is not None and not require_drawn(evidence.weight, found.trained, drawn):
        found = replace(found, bits=np.full_like(found.bits, 255))
    return Training(found.trained, found.counts if evidence.has_importance else None)


def _require_clear(parts: list[_Found]) -> None:
    """Raises Unknown if gradients come close to those that sums do not show."""
    seen, faint = sum(part.seen for part in parts), sum(part.faint for part in parts)
    if not seen:
        raise Unknown("its optimizer's sums show no row that training has moved; gradients that are too "
                      f"small for them may have moved some. {KEEP_FIRST}")
    if faint >= _FAINT * seen:
        raise Unknown(f"{faint} of its {seen} trained rows were moved by gradients so small that its "
                      f"optimizer's sums hardly show them; others may not show at all. {KEEP_FIRST}")


def _found(evidence: Evidence) -> _Found:
    evidence.check()
    count = evidence.weight.row_count
    step = max(8, SLICE_BYTES * count // evidence.weight.byte_count // 8 * 8)
    bits, ids, importance, faint, seen = [], [np.empty(0, np.int64)], [np.empty(0, np.float32)], 0, 0
    for start in range(0, count, step):
        rows = evidence.rows(start, min(start + step, count))
        bits.append(np.packbits(rows.trained))
        seen += int(rows.trained.sum())
        faint += int(rows.faint.sum())
        if seen <= count // _FEW:
            ids.append(start + np.flatnonzero(rows.trained))
            importance.append(rows.importance[rows.trained])
    few = seen <= count // _FEW
    return _Found(evidence, np.concatenate(bits), seen, faint, np.concatenate(ids) if few else None,
                  np.concatenate(importance) if few else np.empty(0, np.float32))
