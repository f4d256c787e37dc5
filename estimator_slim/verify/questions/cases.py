"""What made-up requests try: one typical batch, and what requests of every kind have at their edges."""

from __future__ import annotations

import math
from dataclasses import dataclass

from estimator_slim.transforms import INFINITIES, NANS

BATCH, STRINGS, IDS, FLOATS, OPTIONAL, FEATURES, LENGTHS = (  # what a signature may take
    "batch", "strings", "ids", "floats", "optional", "features", "lengths")
QUANTITIES, CHECKED_SHAPES = "quantities", "checked shapes"  # and, of its graph, NANS and INFINITIES

IDS_KNOWN, WHOLE, UNIT = "ids where known", "whole", "unit"  # what floats may be, if not any number
BELOW = (2, 1)  # few ids


@dataclass(frozen=True)
class Case:
    """One way to make up a request.

    Attributes:
      name: the request's origin.
      rows: in a batch of any size.
      of: what a signature has to take for the case to be made for it; `` for all.
      lengths: how many values a row has, where there may be any number; one of these.
      size: of a dimension of any size, other than the batch.
      words: `known`, mostly; `unseen` or `empty`.
      ids: `known`; `padding` among them, `negative`, or `beyond` the end.
      large: integers that are no ids are up to billions.
      scale: of floats.
      among: floats that are among the usual ones where they may be.
      repeated: a row has one value, again and again.
      missing: share of what may be left out that is.
      malformed: the shape of a sparse tensor is below zero.
      floats: `` for any numbers; ids where a table says how many (`ids where known`), `whole` numbers,
        or numbers from 0 to 1 (`unit`).
      below: ids are, where no table says how many it has.
    """

    name: str
    rows: int
    of: str = ""
    lengths: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    size: int = 8
    words: str = "known"
    ids: str = "known"
    large: bool = False
    scale: float = 1.0
    among: tuple[float, ...] = ()
    repeated: bool = False
    missing: float = 0.0
    malformed: bool = False
    floats: str = ""
    below: int = 8


TYPICAL = Case("a typical batch", 64)
CASES = (
    TYPICAL,
    Case("a batch of 1", 1, BATCH),
    Case("the empty batch", 0, BATCH),
    Case("small numbers", 64, FLOATS, scale=0.1),
    Case("large numbers", 8, FLOATS, scale=1e6),
    Case("not a number", 64, NANS, among=(math.nan,)),
    Case("infinite numbers", 64, INFINITIES, among=(math.inf, -math.inf)),
    Case("repeated values", 8, repeated=True),
    Case("empty strings", 4, STRINGS, words="empty"),
    Case("unseen words", 8, STRINGS, words="unseen"),
    Case("padding ids", 8, IDS, ids="padding"),
    Case("ids below zero", 4, IDS, ids="negative"),
    Case("ids past the end", 4, IDS, ids="beyond"),
    Case("large integers", 16, QUANTITIES, large=True),
    Case("missing features", 4, OPTIONAL, missing=1.0),
    Case("some features missing", 16, FEATURES, missing=0.5),
    Case("longer inputs", 8, LENGTHS, lengths=(7, 15, 31, 63, 127), size=24),
    Case("long inputs", 2, LENGTHS, lengths=(150, 175, 200), size=96),
    Case("a malformed shape", 2, CHECKED_SHAPES, malformed=True),
)
NUMBERS = {case.name: number for number, case in enumerate(CASES)}
MILD = tuple(case for case in CASES if case.name in (  # what every original takes that can be asked
    TYPICAL.name, "a batch of 1", "repeated values"))
EDGES = frozenset(case.name for case in CASES if case is not TYPICAL)
EXTREME = frozenset(case.name for case in CASES if case.scale > 1 or case.large or case.among)


def is_made_up(origin: str) -> bool:
    """True for a request that no user sent: of every origin but a verify_input_fn, a record, a file."""
    return origin == TYPICAL.name or origin in EDGES


def asks(origin: str, of: frozenset[str]) -> bool:
    """True if a request of this origin is made up to try one of `of`, such as `nans`."""
    return any(case.name == origin and case.of in of for case in CASES)
