"""What both servables answered for one output, over all requests, and how to say where it differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from google.protobuf import message
from tensorflow.core.example import example_pb2

from estimator_slim.report import Failure
from estimator_slim.verify.questions import is_made_up
from estimator_slim.verify.request import Basis, Output, Request

_SHOWN = 160  # characters of an input


@dataclass(frozen=True)
class Answered:
    """A request that both servables answered.

    Attributes:
      request: as it was asked.
      want: the original's outputs.
      got: the slim servable's, of the same dtypes and shapes.
    """

    request: Request
    want: dict[str, Output]
    got: dict[str, Output]

    def row_count(self) -> int:
        """As many as most outputs have."""
        counts = [output.shape[0] if output.shape else 1 for output in self.want.values()]
        return Counter(counts).most_common(1)[0][0] if counts else 0


@dataclass(frozen=True)
class Column:
    """All answers for one output.

    Attributes:
      signature: its key.
      output: its key.
      requests: one for each answer.
      want: the original's answers, as far as they are kept.
      got: the slim servable's.
      rows: which rows of each answer these are, along the first axis.
      counts: how many each answer has.
      want_bases: what each of the original's answers is made from.
      got_bases: and each of the slim servable's.
      behind: what stands between the output and the values, in words, where they are not its own.
    """

    signature: str
    output: str
    requests: Sequence[Request]
    want: Sequence[np.ndarray]
    got: Sequence[np.ndarray]
    rows: Sequence[np.ndarray]
    counts: Sequence[int]
    want_bases: Sequence[tuple[Basis | None, ...]] = ()
    got_bases: Sequence[tuple[Basis | None, ...]] = ()
    behind: str = ""

    def failure(self, what: str, answer: int, row: int, allowing: Mapping[str, float]) -> Failure:
        """A sentence that says what is wrong, with which row of which answer; what would allow it."""
        return Failure(self.signature, self.output, f"output {self.output!r} of signature "
                       f"{self.signature!r} {self.behind}{what}; "
                       f"{place(self.requests[answer], int(self.rows[answer][row]))}",
                       tuple(allowing.items()))

    def made_up(self) -> np.ndarray:
        """Which answers are to made-up questions, bool [answers]."""
        return np.array([is_made_up(request.origin) for request in self.requests], bool)

    def labels(self) -> list[np.ndarray | None]:
        """The right answer for each row, where it is known."""
        return [None if request.labels is None or np.shape(request.labels)[:1] != (count,)
                else np.asarray(request.labels)[rows]
                for request, rows, count in zip(self.requests, self.rows, self.counts)]

    def by_position(self) -> Column:
        """The same with a row for each value: of tags [batch, time] each is a decision of its own."""
        want, got = ([value.reshape(-1) for value in values] for values in (self.want, self.got))
        rows = [np.repeat(rows, value.size // max(1, len(rows))) for rows, value in zip(self.rows, want)]
        return replace(self, want=want, got=got, rows=rows, counts=[value.size for value in want])

    def place_of(self, row: int) -> tuple[int, int]:
        """(answer, row of it) for a row of all answers below each other."""
        counts = [len(value) if value.ndim else 1 for value in self.want if value.size]
        numbers = [number for number, value in enumerate(self.want) if value.size]
        block = int(np.searchsorted(np.cumsum(counts), row, side="right"))
        return numbers[block], row - int(np.sum(counts[:block]))


def columns(signature: str, answered: Sequence[Answered], outputs: Sequence[str]) -> list[Column]:
    """One for each of these outputs."""
    return [_column(signature, [one for one in answered if output in one.want], output)
            for output in outputs]


def _column(signature: str, answered: Sequence[Answered], output: str) -> Column:
    want = [one.want[output] for one in answered]
    return Column(signature, output, [one.request for one in answered], [one.values for one in want],
                  [one.got[output].values for one in answered], [one.rows() for one in want],
                  [one.shape[0] if one.shape else 1 for one in want],
                  [one.bases for one in want], [one.got[output].bases for one in answered])


def dtype_name(value: np.ndarray) -> str:
    """`float32`; `string` for the objects that strings come as."""
    return "string" if value.dtype.kind in "OSU" else value.dtype.name


def place(request: Request, row: int | None = None) -> str:
    """`request 'a typical batch', row 3: words=[b'turn']`, shortened."""
    shown = ", ".join(f"{key}={_shown(value, row)}" for key, value in request.inputs.items())
    at = f"request {request.origin!r}" + ("" if row is None else f", row {row}")
    return f"{at}: {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '...'}"


def _shown(value: Any, row: int | None) -> str:
    """One row of an input, or the start of all of it."""
    if hasattr(value, "dense_shape"):
        mine = slice(None) if row is None else np.asarray(value.indices)[:, 0] == row
        return repr(np.asarray(value.values)[mine][:_SHOWN].tolist())
    array = np.asarray(value)
    part = array[row] if row is not None and array.ndim and row < len(array) else array
    if isinstance(part, bytes):
        return _readable(part)
    return repr(part.ravel()[:_SHOWN].tolist() if isinstance(part, np.ndarray) and part.ndim else part)


def _readable(text: bytes) -> str:
    """A serialized tf.Example by its features, other bytes as they are."""
    try:
        features = example_pb2.Example.FromString(text).features.feature
    except message.DecodeError:
        return repr(text)
    values = {key: list(getattr(feature, feature.WhichOneof("kind") or "bytes_list").value)
              for key, feature in sorted(features.items())}
    return repr(values) if values else repr(text)
