"""What became of each value that was made of floats: the same, another for a reason, or wrong.

    made: 3 → 4,  of 3.4999 → 3.5001: tied, both are within the noise of an edge
    made: 3 → 4,  of 3.2 → 3.7: moved, farther than floats usually do
    made: 3 → 4,  of 3.2 → 3.2001: wrong, it did not come to the edge
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from estimator_slim.verify.comparison.numbers import Deviation, Pairs, deviation, paired
from estimator_slim.verify.request import IN_ANY_ORDER, Basis, Choice, Steps

SAME, TIED, MOVED, WRONG = range(4)  # the worse the larger
_REACH = 4.0  # scores of a row may have moved so much farther than those of which it is known

Both = list[tuple[Basis, Basis]]  # a basis in each answer of the original and of the slim servable
Marks = list[np.ndarray]          # of each answer, in the shape of what was made


def marked(bases: Sequence[Both]) -> list[tuple[Both, Marks]]:
    """Each basis and its marks; none for one without answers.

    Where that from which its floats were made is another, so are the floats, and what is made of them:
    that gets the same mark, and the floats of the slim servable become those of the original.
    """
    found: list[tuple[Both, Marks]] = []
    for both in bases:
        if not both:
            found.append(([], []))
            continue
        earlier = [found[number][1] for number in both[0][0].before if found[number][1]]
        held = [worst(len(w.made), [marks[n] for marks in earlier]) for n, (w, _) in enumerate(both)]
        pairs = [(w, _without(g, w, rows > SAME)) for (w, g), rows in zip(both, held)]
        found.append((pairs, [_passed_on(w.made != g.made, rows, own)
                              for (w, g), rows, own in zip(pairs, held, _own_marks(pairs))]))
    return found


def _own_marks(both: Both) -> Marks:
    choices = [(w, g) for w, g in both if isinstance(w, Choice) and isinstance(g, Choice)]
    steps = [(w, g) for w, g in both if isinstance(w, Steps) and isinstance(g, Steps)]
    return _of_choices(choices) if choices else _of_steps(steps)


def _passed_on(other: np.ndarray, rows: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """The marks, but those of some rows for what is another there."""
    held = along(rows, marks)
    return np.where(other & (held > SAME), held, marks)


def rowwise_marks(marks: np.ndarray, rows: int) -> np.ndarray:
    """The worst of each row."""
    return marks.reshape(rows, -1).max(axis=1)


def worst(rows: int, earlier: Iterable[np.ndarray]) -> np.ndarray:
    """The worst mark of each row, of those bases that have as many."""
    fitting = [rowwise_marks(marks, rows) for marks in earlier if len(marks) == rows]
    return np.max([np.zeros(rows, int), *fitting], axis=0)


def _without(got: Basis, want: Basis, rows: np.ndarray) -> Basis:
    """`got` with the original's floats in some rows."""
    if not rows.any():
        return got
    floats: dict[str, Any] = {name: np.where(along(rows, value), value, got.arrays()[name])
                              for name, value in want.arrays().items() if name != "made"}
    return replace(got, **floats)


def along(rows: np.ndarray, array: np.ndarray) -> np.ndarray:
    """A value for each row, to be held beside the values of `array`."""
    return rows.reshape(-1, *[1] * (array.ndim - 1))


def _measured(want: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> tuple[Pairs, Deviation]:
    pairs = paired(want, got).finite()
    return pairs, deviation(pairs)


# ---- steps


def _of_steps(both: Sequence[tuple[Steps, Steps]]) -> Marks:
    """Another step is right where an edge is between what both servables have."""
    pairs, off = _measured([w.moving for w, _ in both], [g.moving for _, g in both])
    near = np.repeat(off.near_ties(), pairs.want.shape[1])
    ends = np.cumsum([w.made.size for w, _ in both])[:-1]
    return [_step(w, g, tie.reshape(w.made.shape), pairs.last)
            for (w, g), tie in zip(both, np.split(near, ends))]


def _step(want: Steps, got: Steps, tie: np.ndarray, last: float) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        moved = np.abs(got.moving - want.moving)
        moved += last * np.maximum(np.abs(want.moving), np.abs(got.moving))
        edge = np.maximum(want.edge, got.edge)
        mark = np.where(edge <= moved, np.where(edge <= tie, TIED, MOVED), WRONG)
    return np.where(want.made != got.made, mark, SAME)


# ---- choices


def _of_choices(both: Sequence[tuple[Choice, Choice]]) -> Marks:
    """Other ids are right where their scores are as near to those in whose place they are."""
    pairs, off = _measured([_finite(w.scores, g.scores) for w, g in both],
                           [_finite(g.scores, w.scores) for w, g in both])
    ends = np.cumsum([w.scores[..., 0].size for w, _ in both])[:-1]
    return [_choice(w, g, tie) for (w, g), tie in zip(both, np.split(off.near_ties(), ends))]


def _finite(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """0 where one of both is none: where all there are were chosen, there is no best of the rest."""
    return np.where(np.isfinite(scores) & np.isfinite(others), scores, 0).astype(scores.dtype)


def _choice(want: Choice, got: Choice, tie: np.ndarray) -> np.ndarray:
    k = want.made.shape[-1]
    made, other = (one.made.reshape(-1, k) for one in (want, got))
    scores, others = (one.scores.reshape(-1, k + 1).astype(np.float64) for one in (want, got))
    floats = [one.floats.reshape(len(made), -1).astype(np.float64) for one in (want, got)]
    known = np.maximum(_farthest(scores, others), _farthest(*floats))
    undecided = np.isnan(np.hstack([scores, floats[0]])).any(axis=1)  # nothing is the best of these
    tie = np.where(undecided, np.inf, tie)
    marks = np.zeros(made.shape, int)
    for row in np.flatnonzero((made != other).any(axis=1)):
        gap = np.maximum(_gaps(made[row], other[row], scores[row], want.kind),
                         _gaps(other[row], made[row], others[row], want.kind))
        mark = np.where(gap <= tie[row], TIED, np.where(gap <= _REACH * known[row], MOVED, WRONG))
        marks[row] = np.where(made[row] != other[row], mark, SAME)
    return marks.reshape(want.made.shape)


def _farthest(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far apart they are in each row, at the most."""
    with np.errstate(invalid="ignore"):
        off = np.abs(values - others)
    return np.where(np.isfinite(off), off, 0.0).max(axis=1)


def _gaps(ids: np.ndarray, others: np.ndarray, scores: np.ndarray, kind: str) -> np.ndarray:
    """From the score of each id to that of the place which it has in the other servable's choice."""
    order = np.argsort(others, kind="stable")
    at = np.searchsorted(others[order], ids).clip(max=len(ids) - 1)
    kept = others[order][at] == ids
    if kind.endswith(IN_ANY_ORDER):
        place = np.where(kept, np.arange(len(ids)), len(ids))
    else:
        place = np.where(kept, order[at], len(ids))
    with np.errstate(invalid="ignore"):
        gaps = np.where(scores[:-1] == scores[place], 0.0, np.abs(scores[:-1] - scores[place]))
    return np.nan_to_num(gaps, nan=np.inf, posinf=np.inf)
