"""What verification asks a servable and what it gets: plain data, ready to cross a process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Union

import numpy as np


@dataclass(frozen=True)
class Request:
    """One question to one signature.

    Attributes:
      signature: its key.
      inputs: input key → array in the dtype and rank that the signature takes (strings as object arrays
        of bytes); for a sparse input a tf.compat.v1.SparseTensorValue; a ragged input `k` is the arrays
        `k.0`, `k.1`, ... of what it consists of.
      origin: where it comes from, for messages: `input_fn`, `warm-up`, a file's name or, for a made-up
        one, what it tries (`empty strings`, `a batch of 1`).
      labels: the right answer for each row, where it is known; any dtype, [batch] or [batch, 1].
    """

    signature: str
    inputs: dict[str, Any]
    origin: str
    labels: np.ndarray | None = None

    def empty(self) -> bool:
        """True for a batch of no rows: a servable that takes one where its original does not is fine."""
        return any(_rows(value) == 0 for value in self.inputs.values())

    def row_count(self) -> int:
        """Rows of its first input that has some; 1 where none has."""
        return next((rows for value in self.inputs.values() if (rows := _rows(value)) is not None), 1)


@dataclass(frozen=True)
class Refusal:
    """What a servable answered instead of outputs.

    Attributes:
      error: class name of the TensorFlow error, such as `InvalidArgumentError`.
      message: its text, shortened.
    """

    error: str
    message: str


IN_ANY_ORDER = " in any order"  # ends the kind of a choice that does not put the best first


@dataclass(frozen=True)
class Basis:
    """Floats from which something exact was made in one answer, and what was made of them.

    All arrays have the same rows.

    Attributes:
      kind: the operation that made it: `ArgMax`, `TopKV2`, `Round`, `Greater`, `AsString`, ...
      made: what it made.
      floats: what it read, to be held to what is allowed of floats; of many scores of a row some.
      before: which of the output's other bases these floats were themselves made from, by number.
      direct: the output is made from it, and not only another basis.
    """

    kind: str
    made: np.ndarray
    floats: np.ndarray
    before: tuple[int, ...]
    direct: bool

    def arrays(self) -> dict[str, np.ndarray]:
        """All of its arrays by their names."""
        return {key: value for key, value in vars(self).items() if isinstance(value, np.ndarray)}

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Basis:
        """The same with every array changed."""
        changed: dict[str, Any] = {key: change(value) for key, value in self.arrays().items()}
        return replace(self, **changed)


@dataclass(frozen=True)
class Choice(Basis):
    """The best, or the best few, of some scores; `made` are their ids, [..., k], k is 1 for the best.

    Attributes:
      scores: of the chosen, then the best of the rest, [..., k + 1]; the largest is the best.
    """

    scores: np.ndarray


@dataclass(frozen=True)
class Steps(Basis):
    """Numbers that were rounded, compared or printed, each by itself: one more step, other words.

    Attributes:
      moving: what comes to an edge as it moves, in the shape of `made`; of `a > b` it is a - b.
      edge: how far that is from where another step begins, in the shape of `made`.
    """

    moving: np.ndarray
    edge: np.ndarray


@dataclass(frozen=True)
class Output:
    """What a servable answered for one output.

    Attributes:
      values: all of them; of too many, those of some rows, evenly chosen.
      shape: of all of them.
      bases: what the values are made from, as far as it is known, each with the same rows, behind those
        that are before it; None for one before others that has other rows.
    """

    values: np.ndarray
    shape: tuple[int, ...]
    bases: tuple[Basis | None, ...] = ()

    def rows(self) -> np.ndarray:
        """Which rows, along the first axis, `values` are."""
        return evenly(self.shape[0], len(self.values)) if self.shape else np.zeros(1, int)


Answer = Union[dict[str, Output], Refusal]


def evenly(length: int, count: int) -> np.ndarray:
    """`count` places of `length`, as far apart as can be: 6, 3 → 0, 2, 4."""
    return np.arange(count) * length // max(1, count)


def _rows(value: Any) -> int | None:
    shape = value.dense_shape if hasattr(value, "dense_shape") else np.shape(value)
    return int(shape[0]) if len(shape) else None
