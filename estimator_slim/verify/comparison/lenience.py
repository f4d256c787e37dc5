"""Which rows of made-up questions may be farther off than real ones.

Made-up questions are not like what a model was trained on: pixels of noise make scores in the thousands,
ids that were never trained make others than all that was. Softmax and sigmoid squash such scores:

    scores        [2000.0, 1996.0] → [1999.0, 1999.5]    off by 0.2 %
    probabilities [0.982, 0.018]   → [0.378, 0.622]      off by 60 %

So a few rows may be off by more, if what made them, the log odds of probabilities, is as near as it has
to be, or if they are off by little more and no noisier than others. A row that is wrong by itself, as
where one row of a table is lost, is neither.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from estimator_slim.transforms import Bounds
from estimator_slim.verify.comparison.numbers import Deviation, Pairs, deviation, ratio

_FEW = 20  # one of so many, and one at least
_FARTHER = 4.0  # than is allowed, where no log odds say more
_NOISIEST = 6.0  # dB; an error of half of what varies
_NOTHING = 1e-30  # of float32: the scores are so far apart that nobody knows how far


def excused(pairs: Pairs, off: Deviation, bounds: Bounds, made_up: np.ndarray) -> np.ndarray:
    """The rows that are let pass though they are farther off than `bounds` allow, bool [rows].

    Args:
      pairs: finite answers.
      off: how far they are off.
      bounds: what is allowed.
      made_up: rows of made-up questions, bool [rows].
    """
    beyond = made_up & ((off.share > bounds.max_error) | (off.noise > ratio(bounds.row_snr)))
    none = np.zeros_like(beyond)
    if not beyond.any() or "max_error" in bounds.given:
        return none
    most = ratio(max(bounds.row_snr, _NOISIEST))
    near = beyond & (off.noise <= most) & (off.share <= _FARTHER * bounds.max_error)
    rows = near if _are_few(near, made_up) else none
    if _are_shares(pairs):
        far = np.abs(pairs.got - pairs.want) > (bounds.max_error * off.span + off.rounding)[:, None]
        far |= ~far.any(axis=1, keepdims=True)  # a row that is noisy alone counts whole
        odds = beyond & _near_in_odds(pairs, made_up, most, ratio(bounds.snr))
        rows = rows | odds if _are_few(odds, made_up) or _are_few(far & odds[:, None], made_up) else rows
    return rows


def _are_few(wrong: np.ndarray, made_up: np.ndarray) -> bool:
    """True for a few rows, [rows], or a few values, [rows, width]: of twenty labels of a row, one."""
    return bool(wrong.sum() <= max(1, made_up.sum() * wrong[0].size // _FEW))


def _near_in_odds(pairs: Pairs, made_up: np.ndarray, most: float, mean: float) -> np.ndarray:
    """Rows whose log odds are as near as those of a row have to be, bool [rows].

    Rows in which one of both answers 0 and 1 alone are a decision, and nobody knows its distance; where
    most rows are so, nobody knows how far apart scores usually are either.
    """
    odds, certain = deviation(_log_odds(pairs), by_answer=made_up), _are_certain(pairs.want, pairs.last)
    unknown = certain | _are_certain(pairs.got, pairs.last)
    if certain.mean() > 0.5:
        return np.ones_like(certain)
    if not unknown.all() and odds.noise[~unknown].mean() > mean:
        return unknown
    return unknown | (odds.noise <= most)


def _are_shares(pairs: Pairs) -> bool:
    both = np.array([[values.min(), values.max()] for values in (pairs.want, pairs.got)])
    return bool((both >= -pairs.last).all() and (both <= 1 + pairs.last).all())


def _log_odds(pairs: Pairs) -> Pairs:
    """What a softmax or a sigmoid makes these shares of, but for a constant of each row."""
    least = min(values[values > 0].min(initial=1.0) for values in (pairs.want, pairs.got))
    sums = pairs.want.sum(axis=1)
    of_softmax = pairs.want.shape[1] > 1 and abs(np.median(sums) - 1) < 1e-3

    def log_odds(shares: np.ndarray) -> np.ndarray:
        logs = np.log(np.clip(shares, least, 1.0))
        if of_softmax:
            return logs - logs.mean(axis=1, keepdims=True)
        return logs - np.log(np.clip(1 - shares, pairs.last, 1.0))
    return replace(pairs, want=log_odds(pairs.want), got=log_odds(pairs.got))


def _are_certain(shares: np.ndarray, last: float) -> np.ndarray:
    return ((shares <= _NOTHING) | (shares >= 1 - last)).all(axis=1)
