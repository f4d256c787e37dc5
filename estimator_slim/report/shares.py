"""Shares as text, in percent."""

from __future__ import annotations

import math


def percent(share: float) -> str:
    """A share with two digits that count."""
    value = 100 * share
    if 0 < value < 0.01:
        return "less than 0.01 %"
    return f"{value:.2g} %" if value < 10 else f"{value:.0f} %"


def floor_percent(count: int, of: int) -> str:
    """Such that 100 % are all of them."""
    return f"{math.floor(count * 10_000 / of) / 100:g} %"
