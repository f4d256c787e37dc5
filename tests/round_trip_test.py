"""Every model of the zoo, through the lists that people copy: the slim servable answers alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from estimator_slim import optimize_saved_model
from estimator_slim.options import DEFAULT
from tests.support.alike import ROUNDED, assert_alike
from tests.support.ask import ask, ask_fresh
from tests.support.lists import EXACT, LOSSLESS, LOSSY
from tests.support.models import MODELS
from tests.support.promised import files, signatures, table_initializers

NAMES = pytest.mark.parametrize("name", MODELS)
LISTS = {**{key: (text, ROUNDED) for key, text in EXACT.items()}, **LOSSY}
IN_TURN = [key for key in LISTS if key not in ("default", "lossless")]  # which have a test of their own
QUICK = ("dnn_v1_partitioned", "raw_text_tables_from_files", "wide_and_deep_v2")


def pairs() -> list[Any]:
    """Every model with every list. The default list, and one of the others in turn, are tried always."""
    return [pytest.param(name, key, marks=_marks(name, key, IN_TURN[number % len(IN_TURN)]))
            for number, name in enumerate(MODELS) for key in LISTS]


def _marks(name: str, key: str, turn: str) -> list[Any]:
    if key not in ("default", turn):
        return [pytest.mark.long]
    return [pytest.mark.quick] if name in QUICK and key == "default" else []


@pytest.mark.parametrize("name, transforms", pairs())
def test_answers_stay_as_near_as_the_list_promises(
        name: str, transforms: str, answers: Callable, slim: Callable) -> None:
    text, near = LISTS[transforms]
    got = ask(slim(name, text), MODELS[name].requests, optimizer=False)
    assert_alike(got, answers(name), **near)


def test_all_answer_in_a_fresh_process(answers: Callable, slim: Callable) -> None:
    got = ask_fresh({name: (slim(name, LOSSLESS), MODELS[name].requests) for name in MODELS})
    for name in MODELS:
        assert_alike(got[name], answers(name), **ROUNDED)


@NAMES
def test_signatures_tables_and_assets_survive(
        name: str, exported: Callable, slim: Callable) -> None:
    before, after = exported(name), slim(name, LOSSLESS)
    assert signatures(after) == signatures(before)
    assert table_initializers(after) == table_initializers(before)
    for folder in ("assets", "assets.extra"):
        assert files(after, folder) == files(before, folder)


def test_originals_stay_byte_for_byte(exported: Callable, tmp_path: Any) -> None:
    path = exported("vocabulary_file_oov_labels")
    before = files(path, "")
    optimize_saved_model(path, tmp_path / "slim", DEFAULT)
    assert files(path, "") == before
