"""What made-up requests try: one typical batch, and what requests of every kind have at their edges."""

from __future__ import annotations

from dataclasses import dataclass

BATCH, STRINGS, IDS, FLOATS, OPTIONAL, FEATURES, LENGTHS = (  # what a signature may take
    "batch", "strings", "ids", "floats", "optional", "features", "lengths")


@dataclass(frozen=True)
class Case:
    """One way to make up a request.

    Attributes:
      name: the request's origin.
      rows: in a batch of any size.
      of: it is made for signatures that take this.
      lengths: fewest and most values in a row, where there may be any number.
      size: of a dimension of any size, other than the batch.
      words: `known`, mostly; `unseen` or `empty`.
      ids: `known`; `negative` or `beyond` the end.
      scale: of floats.
      repeated: a row has one value, again and again.
      missing: share of what may be left out that is.
    """

    name: str
    rows: int
    of: str = ""
    lengths: tuple[int, int] = (1, 6)
    size: int = 8
    words: str = "known"
    ids: str = "known"
    scale: float = 1.0
    repeated: bool = False
    missing: float = 0.0


TYPICAL = Case("a typical batch", 64)
CASES = (
    TYPICAL,
    Case("a batch of 1", 1, BATCH),
    Case("the empty batch", 0, BATCH),
    Case("small numbers", 64, FLOATS, scale=0.1),
    Case("large numbers", 8, FLOATS, scale=1e6),
    Case("repeated values", 8, repeated=True),
    Case("empty strings", 4, STRINGS, words="empty"),
    Case("unseen words", 8, STRINGS, words="unseen"),
    Case("ids below zero", 4, IDS, ids="negative"),
    Case("ids past the end", 4, IDS, ids="beyond"),
    Case("missing features", 4, OPTIONAL, missing=1.0),
    Case("some features missing", 16, FEATURES, missing=0.5),
    Case("long inputs", 2, LENGTHS, lengths=(150, 200), size=96),
)
