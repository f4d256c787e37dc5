"""Every model of the zoo, through the lists that people copy: the slim servable answers alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from estimator_slim import optimize_saved_model
from estimator_slim.options import DEFAULT
from tests.support.alike import ROUNDED, assert_alike
from tests.support.ask import ask, ask_fresh
from tests.support.lists import EXACT, LOSSY
from tests.support.models import MODELS
from tests.support.promised import files, signatures, table_initializers

LISTS = {**{key: (text, ROUNDED) for key, text in EXACT.items()}, **LOSSY}
IN_TURN = ["default", *LISTS]  # the one that all get unless they ask for another is tried twice as often
TURNS = {name: IN_TURN[number % len(IN_TURN)] for number, name in enumerate(MODELS)}
SOME = list(MODELS)[::4]
QUICK = ("dnn_v1_partitioned", "raw_text_tables_from_files", "wide_and_deep_v2")


def pairs() -> list[Any]:
    """Every model with every list; one list for each model, in turn, is tried always."""
    return [pytest.param(name, key, marks=_marks(name, key)) for name in MODELS for key in LISTS]


def _marks(name: str, key: str) -> list[Any]:
    if name in QUICK and key == "default":
        return [pytest.mark.quick]
    return [] if key == TURNS[name] else [pytest.mark.long]


PAIRS = pytest.mark.parametrize("name, transforms", pairs())


@PAIRS
def test_answers_stay_as_near_as_the_list_promises(
        name: str, transforms: str, answers: Callable, slim: Callable) -> None:
    text, near = LISTS[transforms]
    got = ask(slim(name, text), MODELS[name].requests, optimizer=False)
    assert_alike(got, answers(name), **near)


@pytest.mark.parametrize("names", [SOME, pytest.param(list(MODELS), marks=pytest.mark.long)],
                         ids=["some", "all"])
def test_all_answer_in_a_fresh_process(
        names: list[str], answers: Callable, slim: Callable) -> None:
    got = ask_fresh({name: (slim(name, LISTS[TURNS[name]][0]), MODELS[name].requests) for name in names})
    for name in names:
        assert_alike(got[name], answers(name), **LISTS[TURNS[name]][1])


@PAIRS
def test_signatures_tables_and_assets_survive(
        name: str, transforms: str, exported: Callable, slim: Callable) -> None:
    before, after = exported(name), slim(name, LISTS[transforms][0])
    assert signatures(after) == signatures(before)
    assert table_initializers(after) == table_initializers(before)
    for folder in ("assets", "assets.extra"):
        assert files(after, folder) == files(before, folder)


def test_originals_stay_byte_for_byte(exported: Callable, tmp_path: Any) -> None:
    path = exported("vocabulary_file_oov_labels")
    before = files(path, "")
    optimize_saved_model(path, tmp_path / "slim", DEFAULT)
    assert files(path, "") == before
