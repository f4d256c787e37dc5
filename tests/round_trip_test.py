"""Every model of the zoo, through every list that people copy: the slim servable answers alike."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from estimator_slim import optimize_saved_model
from estimator_slim.transforms import DEFAULT
from tests.support.alike import assert_alike, assert_near, assert_same
from tests.support.ask import ask, ask_fresh
from tests.support.lists import EXACT, LOSSLESS, LOSSY
from tests.support.models import MODELS
from tests.support.promised import files, signatures, table_initializers

NAMES = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def answers(exported: Callable) -> Callable[[str], dict]:
    """`answers(name)`: what the original of the model answers, asked once."""
    known: dict[str, dict] = {}

    def of(name: str) -> dict:
        if name not in known:
            known[name] = ask(exported(name), MODELS[name].requests)
        return known[name]
    return of


@pytest.fixture(scope="module")
def slim(exported: Callable, tmp_path_factory: Any) -> Callable[[str, str], str]:
    """`slim(name, transforms)`: the optimized servable of the model, made once."""
    root = tmp_path_factory.mktemp("slim")
    made: dict[tuple[str, str], str] = {}

    def path(name: str, transforms: str) -> str:
        key = name, transforms
        if key not in made:
            made[key] = str(root / f"{len(made)}" / "1")
            optimize_saved_model(exported(name), made[key], transforms)
        return made[key]
    return path


@NAMES
@pytest.mark.parametrize("transforms", EXACT.values(), ids=list(EXACT))
def test_lossless_lists_change_no_answer(
        name: str, transforms: str, answers: Callable, slim: Callable) -> None:
    got = ask(slim(name, transforms), MODELS[name].requests, optimizer=False)
    assert_alike(got, answers(name), assert_same)


@NAMES
@pytest.mark.parametrize("transforms, share", LOSSY.values(), ids=list(LOSSY))
def test_lossy_lists_answer_nearly_the_same(
        name: str, transforms: str, share: float, answers: Callable, slim: Callable) -> None:
    got = ask(slim(name, transforms), MODELS[name].requests, optimizer=False)
    assert_alike(got, answers(name), functools.partial(assert_near, share=share))


@NAMES
def test_signatures_tables_and_assets_survive(
        name: str, exported: Callable, slim: Callable) -> None:
    before, after = exported(name), slim(name, LOSSLESS)
    assert signatures(after) == signatures(before)
    assert table_initializers(after) == table_initializers(before)
    for folder in ("assets", "assets.extra"):
        assert files(after, folder) == files(before, folder)


def test_all_answer_in_a_fresh_process(answers: Callable, slim: Callable) -> None:
    got = ask_fresh({name: (slim(name, LOSSLESS), MODELS[name].requests) for name in MODELS})
    for name in MODELS:
        assert_alike(got[name], answers(name), assert_same)


def test_originals_stay_byte_for_byte(exported: Callable, slim: Callable) -> None:
    path = exported("vocabulary_file_oov_labels")
    before = files(path, "")
    optimize_saved_model(path, slim("vocabulary_file_oov_labels", LOSSLESS) + "0", DEFAULT)
    assert files(path, "") == before
