"""Cases of which some are tried always, the others with `-m long`; see tests/README.md."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import pytest


def in_turn(every: int, **axes: Iterable[Any]) -> Any:
    """All combinations of the arguments' values, as `pytest.mark.parametrize` takes them.

    One of `every` is tried always, such that each value is in one of these; the others are `long`.

    Args:
      every: at most as many as the other arguments' values can make up for.
      axes: argument of the test → its values; or id → value.
    """
    named = [list(axis.items()) if isinstance(axis, Mapping) else [(str(value), value) for value in axis]
             for axis in axes.values()]
    cases = []
    for places in itertools.product(*(range(len(axis)) for axis in named)):
        ids, values = zip(*(axis[place] for axis, place in zip(named, places)))
        cases.append(pytest.param(*values, id="-".join(ids),
                                  marks=[pytest.mark.long] if sum(places) % every else []))
    return pytest.mark.parametrize(",".join(axes), cases)
