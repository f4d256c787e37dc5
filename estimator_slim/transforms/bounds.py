"""How far a slim servable's answers may be off: each transform says it of itself, as its `bounds`."""

from __future__ import annotations

import math
from dataclasses import dataclass

NANS, INFINITIES = "nans", "infinities"  # floats that are no numbers


@dataclass(frozen=True)
class Bounds:
    """What is allowed of each output.

    Attributes:
      max_error: largest absolute error, as a share of the output's range.
      min_agreement: smallest share of decisions that stay, near ties not counted (two best scores about
        as near as the error).
      snr: least ratio of signal to noise in dB, over all rows.
      row_snr: and in any one row.
      by_answer: noise is measured against all rows of an answer, not each row.
      given: `max_error` and `min_agreement`, as far as somebody chose them: what is chosen alone judges
        its kind, distances or decisions, and every row, so that noise is not judged, nor what is chance.
      unjudged: `nans` or `infinities`: what is answered to such floats is not judged. Infinity times a
        weight that was rounded to 0 is NaN, where the original answers infinity; and what measures a
        range finds none in values with a NaN.
      max_accuracy_loss: how much less of the labelled answers may be right, as a share of them; None:
        accuracy is judged only where rows were dropped.
    """

    max_error: float
    min_agreement: float
    snr: float
    row_snr: float
    by_answer: bool = False
    given: frozenset[str] = frozenset()
    unjudged: frozenset[str] = frozenset()
    max_accuracy_loss: float | None = None

    def disagreements(self, rows: int) -> int:
        """How many of `rows` decisions may change: their share, and what chance may add to it.

        With a `min_agreement` of 0.99, 2 of 10 and 20 of 1,000; where somebody gave it, 10 of 1,000.
        """
        share = 1 - self.min_agreement
        if "min_agreement" in self.given:
            return math.floor(rows * share + 1e-9)
        if not share:
            return 0
        return math.floor(rows * share + 3 * math.sqrt(rows * share * self.min_agreement) + 1)


# Over the models that the tests build, correct servables have at least 71 dB with 16 bits, 43 with 8,
# 21 with 4; with one scale for a whole table 34 with 8 bits and 11 with 4; 10 with quantize_nodes.
LOSSLESS = Bounds(max_error=1e-4, min_agreement=1.0, snr=80.0, row_snr=60.0)
COARSE = Bounds(max_error=0.75, min_agreement=0.99, snr=6.0, row_snr=-math.inf, by_answer=True,
                unjudged=frozenset((NANS, INFINITIES)))
