"""How far a slim servable's answers may be off, by what its transforms do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from estimator_slim.transforms.base import Transform
from estimator_slim.transforms.quantize_weights import QuantizeWeights
from estimator_slim.verify.questions.cases import INFINITE, NOT_A_NUMBER


@dataclass(frozen=True)
class Bounds:
    """What is allowed of each output.

    Attributes:
      max_error: largest absolute error, as a share of the output's range.
      min_agreement: smallest share of decisions that stay, near ties not counted.
      snr: least ratio of signal to noise in dB, over all rows.
      row_snr: and in any one row.
      by_answer: noise is measured against all rows of an answer, which share one range, not each row.
      unjudged: names of the cases to which a right servable may answer otherwise: where a small weight
        is rounded to 0, infinity times it is no number; a range with NaN in it is none for any row.
    """

    max_error: float
    min_agreement: float
    snr: float
    row_snr: float
    by_answer: bool = False
    unjudged: frozenset[str] = frozenset()

    def disagreements(self, rows: int) -> int:
        """How many of `rows` decisions may change: their share, and what chance may add to it."""
        share = 1 - self.min_agreement
        if not share:
            return 0
        return math.floor(rows * share + 3 * math.sqrt(rows * share * self.min_agreement) + 1)


# Over the models that the tests build, correct servables have at least 71 dB with 16 bits, 43 with 8,
# 21 with 4; with one scale for a whole table 34 with 8 bits and 11 with 4; 10 with quantize_nodes.
LOSSLESS = Bounds(max_error=1e-4, min_agreement=1.0, snr=80.0, row_snr=60.0)
_COARSE = Bounds(max_error=0.75, min_agreement=0.99, snr=6.0, row_snr=-math.inf, by_answer=True,
                 unjudged=frozenset((NOT_A_NUMBER.name, INFINITE.name)))
_USUAL = {("row", 16): Bounds(max_error=0.01, min_agreement=0.99, snr=50.0, row_snr=40.0),
          ("row", 8): Bounds(max_error=0.05, min_agreement=0.99, snr=30.0, row_snr=20.0),
          ("row", 4): Bounds(max_error=0.2, min_agreement=0.99, snr=12.0, row_snr=-6.0),
          ("table", 16): Bounds(max_error=0.01, min_agreement=0.99, snr=50.0, row_snr=40.0),
          ("table", 8): Bounds(max_error=0.1, min_agreement=0.99, snr=20.0, row_snr=10.0)}


def bounds(transforms: Sequence[Transform], *, max_error: float | None = None,
           min_agreement: float | None = None) -> Bounds:
    """What is usual for the coarsest of `transforms`; a number that is given holds instead."""
    usual = min([LOSSLESS, *map(_usual, transforms)], key=lambda one: one.snr)
    return replace(
        usual, max_error=usual.max_error if max_error is None else max_error,
        min_agreement=usual.min_agreement if min_agreement is None else min_agreement)


def _usual(transform: Transform) -> Bounds:
    if not transform.lossy:
        return LOSSLESS
    if isinstance(transform, QuantizeWeights):
        return replace(_USUAL.get((transform.granularity, transform.bits), _COARSE),
                       unjudged=frozenset((INFINITE.name,)))
    return _COARSE
