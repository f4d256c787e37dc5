"""How far answers are off, in one number: the largest error as a multiple of what is allowed."""

from __future__ import annotations

from collections.abc import Iterator

from estimator_slim.report import OutputResult, Verification
from estimator_slim.transforms import Bounds

_FAILED = 1.5  # at least so much, where something failed that these numbers do not show


def times_allowed(found: Verification, bounds: Bounds) -> float:
    """1 where the farthest output is as far off as it may be; errors, decisions and noise counted alike.

    Noise is taken as an amplitude: 6 dB less than allowed are 2.
    """
    largest = max((part for one in found.outputs for part in _parts(one, bounds)), default=0.0)
    return largest if found.passed else max(largest, _FAILED)


def _parts(one: OutputResult, bounds: Bounds) -> Iterator[float]:
    for part in (one.examples, one.made_up):
        if part is not None and part.error is not None:
            yield part.error / (bounds.max_error or 1e-9)
    if one.snr is not None:
        yield 10 ** ((bounds.snr - one.snr) / 20)
    if one.clear_agreement is not None and one.clear:
        yield (1 - one.clear_agreement) * one.clear / max(1, bounds.disagreements(one.clear))
