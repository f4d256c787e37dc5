"""A clock that goes back: exporters name versions by it, and keep the highest."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.faults import exporting
from tests.faults.exporting import ORIGINALS, SLIMS, numbered
from tests.support import training

DAY = 24 * 60 * 60


def test_a_clock_a_day_late_removes_no_slim_version_and_is_named_in_the_log(
        scene: Callable, monkeypatch: Any) -> None:
    folder = scene()
    before = training.contents(folder / SLIMS)
    with monkeypatch.context() as late:
        set_clock(late, int(numbered(folder / ORIGINALS)[0].name) - DAY)
        refused, warned = exporting.export(folder).logged
    assert training.contents(folder / SLIMS) == before
    assert refused.startswith("ERROR: estimator_slim: no slim servable of ")
    assert " is not there" in refused
    assert warned.startswith("WARNING: estimator_slim: ")
    assert "if the clock went back, set it right" in warned


def test_with_the_clock_set_right_exports_and_collection_go_on(
        scene: Callable, monkeypatch: Any) -> None:
    folder = scene()
    with monkeypatch.context() as late:
        set_clock(late, int(numbered(folder / ORIGINALS)[0].name) - DAY)
        exporting.export(folder)
    newest = exporting.export(folder).version
    assert training.versions(folder / SLIMS) == training.versions(folder / ORIGINALS)
    assert training.versions(folder / SLIMS)[-1] == newest


def test_a_second_that_comes_again_gets_a_version_of_its_own(scene: Callable, monkeypatch: Any) -> None:
    folder = scene()
    newest = int(numbered(folder / ORIGINALS)[-1].name)
    before = training.contents(folder / SLIMS / str(newest))
    with monkeypatch.context() as repeated:
        set_clock(repeated, newest)
        version = exporting.export(folder).version
    assert int(version) > newest
    assert training.contents(folder / SLIMS / str(newest)) == before
    assert (folder / SLIMS / version).exists()


def set_clock(monkeypatch: Any, seconds: float) -> None:
    """Lets the clock begin there; it goes on by a millisecond whenever it is read, and by sleeping."""
    now = [float(seconds)]

    def read() -> float:
        now[0] += 1e-3
        return now[0]

    def sleep(duration: float) -> None:
        now[0] += duration
    monkeypatch.setattr(time, "time", read)
    monkeypatch.setattr(time, "sleep", sleep)
