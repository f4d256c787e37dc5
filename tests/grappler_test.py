"""TensorFlow's graph optimizer makes of a slim servable what it makes of the original: no other model.

It rewrites more where weights are constants. Whatever it then computes otherwise shows here, since each
servable is asked with it, as servers run it, and without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.alike import ROUNDED, assert_alike
from tests.support.ask import ask
from tests.support.lists import SIMPLIFIED
from tests.support.models import MODELS

SAMPLE = 32  # one model of so many is asked always


def models() -> list[Any]:
    return [pytest.param(name, marks=[pytest.mark.long] if number % SAMPLE else [])
            for number, name in enumerate(MODELS)]


@pytest.mark.parametrize("name", models())
def test_the_optimizer_makes_no_other_model_of_a_slim_servable(
        name: str, exported: Callable, slim: Callable) -> None:
    requests = MODELS[name].requests
    for optimizer in (True, False):
        original = ask(exported(name), requests, optimizer=optimizer)
        for transforms in ("", SIMPLIFIED):
            assert_alike(ask(slim(name, transforms), requests, optimizer=optimizer), original, **ROUNDED)
