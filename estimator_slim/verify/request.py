"""What verification asks a servable and what it gets: plain data, ready to cross a process."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Refusal:
    """What a servable answered instead of outputs.

    Attributes:
      error: class name of the TensorFlow error, such as `InvalidArgumentError`.
      message: its text, shortened.
    """

    error: str
    message: str


@dataclass(frozen=True)
class Output:
    """What a servable answered for one output.

    Attributes:
      values: all of them; of too many, those of some rows, evenly chosen.
      shape: of all of them.
    """

    values: np.ndarray
    shape: tuple[int, ...]

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
