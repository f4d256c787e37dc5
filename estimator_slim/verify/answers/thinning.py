"""How much of an answer is kept, so that all answers together stay small and both servables' alike.

Of one output some 4 million values are kept over all answers to its signature. If there are ten answers
of shape [1000, 1000], each keeps 419 or 420 of its rows, evenly chosen. The choice depends on nothing
but the shapes in the answer and which of how many answers it is, so both servables' answers keep the
same places.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from estimator_slim.verify.request import Answer, Basis, Output, Refusal, Request, evenly

_MOST = 1 << 22  # values of one output that are kept of all answers to one signature


@dataclass(frozen=True)
class Share:
    """One answer's share of what is kept.

    Attributes:
      number: which answer to its signature it is, from 0.
      count: how many there are.
    """

    number: int = 0
    count: int = 1

    def vectors(self, width: int) -> int:
        """How many vectors of `width` values are kept of this answer.

        All answers together keep at most `_MOST` values and one vector. Where vectors are too long for
        one of each answer, some answers keep one and others none; the first keeps one.
        """
        before, after = (-(-number * _MOST // (self.count * width))
                         for number in (self.number, self.number + 1))
        return after - before


def shares(requests: Sequence[Request]) -> list[Share]:
    """The share of the answer to each request."""
    counts, before = Counter(request.signature for request in requests), Counter[str]()
    found = []
    for request in requests:
        found.append(Share(before[request.signature], counts[request.signature]))
        before[request.signature] += 1
    return found


def thin(outputs: Mapping[str, np.ndarray], share: Share,
         bases: Mapping[str, Sequence[Basis | None]] = MappingProxyType({})) -> dict[str, Output]:
    """Keeps some rows where there are too many, evenly chosen, and some parts of rows too large.

    Outputs and bases with as many rows keep the same ones: a class stays beside the scores that it
    follows from. Of a row of which only parts are kept there are no bases.
    """
    rows: dict[int, int] = {}
    hidden = [array for those in bases.values() for one in those if one
              for array in one.arrays().values()]
    for value in [*outputs.values(), *hidden]:
        if value.ndim:
            rows[len(value)] = min(rows.get(len(value), len(value)), _rows(value, share))
    return {key: _output(value, bases.get(key, ()), rows, share) for key, value in outputs.items()}


def thinned_like(answer: Answer, other: Answer) -> Answer | None:
    """An answer of which all is kept, with the rows alone that are kept of another to the same question.

    None where more than rows is left out of one of them, so that they cannot be compared.
    """
    if isinstance(answer, Refusal) or isinstance(other, Refusal):
        return answer
    found = {key: _like(output, other[key]) if key in other else output
             for key, output in answer.items()}
    alike = all(one.values.shape == other[key].values.shape
                for key, one in found.items() if key in other and one.shape == other[key].shape)
    return found if alike else None


def _like(output: Output, other: Output) -> Output:
    count = len(other.values) if other.shape else 0
    if not output.shape or output.shape != other.shape or len(output.values) != output.shape[0]:
        return output
    few = tuple(one and one.each(lambda array: _some(array, count))
                if one and all(len(array) == len(output.values) for array in one.arrays().values())
                else None for one in output.bases)
    return Output(_some(output.values, count), output.shape, few)


def _output(value: np.ndarray, bases: Sequence[Basis | None], rows: Mapping[int, int],
            share: Share) -> Output:
    kept = _thinned(value, rows[len(value)], share) if value.ndim else value
    if kept.shape[1:] != value.shape[1:]:
        return Output(kept, value.shape)
    few = tuple(one and one.each(lambda array: _some(array, rows[len(array)])) for one in bases)
    return Output(kept, value.shape, few)


def _rows(value: np.ndarray, share: Share) -> int:
    """How many rows of one output are kept."""
    most = _most(value, share)
    return len(value) if value.size <= most else min(most, max(1, most * len(value) // value.size))


def _most(value: np.ndarray, share: Share) -> int:
    """How many values of one output are kept."""
    width = max(1, value.shape[-1]) if value.ndim > 1 else 1
    return min(_MOST, width * share.vectors(width))


def _thinned(value: np.ndarray, rows: int, share: Share) -> np.ndarray:
    most = _most(value, share)
    value = _some(value, rows)
    for axis, length in enumerate(value.shape[1:], 1):
        if value.size > most:
            value = value.take(evenly(length, max(1, most * length // value.size)), axis)
    return value


def _some(value: np.ndarray, rows: int) -> np.ndarray:
    return value[evenly(len(value), rows)] if rows < len(value) else value
