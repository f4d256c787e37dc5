"""The verifier verified: slim servables that are broken on purpose are caught, whole ones pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.verify.breaking import MODELS, WHOLE, Trial, trials
from tests.verify.breaks import BREAKS


@pytest.fixture(scope="module")
def tried(exported: Callable, once: Callable) -> list[Trial]:
    return once("verify/tried", lambda folder: trials(exported, folder))


@pytest.mark.parametrize("model", MODELS)
def test_an_unbroken_slim_servable_passes(tried: list[Trial], model: str) -> None:
    (whole,) = (trial for trial in tried if (trial.model, trial.kind) == (model, WHOLE))
    assert whole.found.failures == ()
    assert whole.found.unverified == ()
    assert whole.found.answered > 0


@pytest.mark.parametrize("kind", BREAKS)
def test_a_broken_slim_servable_is_caught_and_what_is_named_is_what_was_broken(
        tried: list[Trial], kind: str) -> None:
    those = [trial for trial in tried if trial.kind == kind]
    assert those
    for trial in those:
        assert trial.caught, (trial.model, str(trial.found))
        assert trial.named, (trial.model, trial.affected, trial.found.failures)


@pytest.mark.long
def test_what_is_broken_is_caught_with_all_tables_left_in_their_files(
        exported: Callable, tmp_path: Path) -> None:
    for trial in trials(exported, tmp_path, in_files=True):
        assert trial.caught == (trial.kind != WHOLE), (trial.model, trial.kind, str(trial.found))
        assert trial.named, (trial.model, trial.affected, trial.found.failures)


def test_every_model_is_broken_in_a_dozen_ways_and_most_ways_fit_three_models(
        tried: list[Trial]) -> None:
    broken = [trial for trial in tried if trial.kind != WHOLE]
    assert min(Counter(trial.model for trial in broken).values()) >= 12
    assert sum(count >= 3 for count in Counter(trial.kind for trial in broken).values()) >= 12
