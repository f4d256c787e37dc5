"""tracked(): passes everything on, and says how far, how fast and how long."""

from __future__ import annotations

import itertools
import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import log
from estimator_slim.log import tracked
from estimator_slim.progress import watched_by
from tests.support.by_hand import servable, slim

SLICES = [(row, np.full((1000, 25), row, np.float32)) for row in range(0, 10_000, 1000)]
TOTAL = 1_000_000  # bytes of them all
LINE = re.compile(r"estimator_slim: writing table, (\d+) % of 1 MB, (\d+) MB/s, (\d+) s left")


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: Any) -> None:
    caplog.set_level(logging.INFO, "absl")


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_every_slice_is_passed_on_as_it_is(every: float) -> None:
    passed = list(tracked("writing table", TOTAL, SLICES, every=every))
    assert len(passed) == len(SLICES)
    assert all(a[0] == b[0] and a[1] is b[1] for a, b in zip(passed, SLICES))


def test_no_slices_are_no_trouble(caplog: Any) -> None:
    assert list(tracked("writing table", 0, [], every=0.0)) == []
    assert not caplog.records


def test_slices_are_taken_one_at_a_time() -> None:
    taken = []

    def slices() -> Any:
        for one in SLICES:
            taken.append(one[0])
            yield one

    passed = tracked("writing table", TOTAL, slices(), every=0.0)
    next(passed)
    next(passed)
    assert taken == [0, 1000]


def test_lines_tell_what_is_done_the_rate_and_the_time_left(caplog: Any) -> None:
    list(tracked("writing table", TOTAL, SLICES, every=0.0))
    told = [LINE.fullmatch(record.getMessage()) for record in caplog.records]
    assert all(told)
    assert [int(line[1]) for line in told] == [10, 20, 30, 40, 50, 60, 70, 80, 90]


def test_who_watches_is_told_of_the_bytes_of_each_slice() -> None:
    told = []
    with watched_by(lambda *one: told.append(one)):
        list(tracked("writing table", TOTAL, SLICES))
    list(tracked("writing table", TOTAL, SLICES))
    assert told == [("writing table", done, TOTAL) for done in range(100_000, TOTAL + 1, 100_000)]


def test_who_watches_is_told_of_phases_as_they_begin_and_of_transforms(tmp_path: Path) -> None:
    source = servable(tmp_path, lambda: 2 * ({"x": tf.compat.v1.placeholder(tf.float32, [None], "x")},))
    told: list[str] = []
    with watched_by(lambda what, done, of: told.append(what)):
        slim(source, "fold_constants sort_by_execution_order", verify="off")
    assert [re.sub(": .*", "", one) for one in told] == [
        "read", "questions", "freeze", "transform", "fold_constants", "sort_by_execution_order", "write",
        "verify"]


def test_work_that_ends_soon_says_nothing(caplog: Any) -> None:
    list(tracked("writing table", TOTAL, SLICES, every=1e9))
    assert not caplog.records


def test_what_the_source_raises_comes_through() -> None:
    def slices() -> Any:
        yield SLICES[0]
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(tracked("writing table", TOTAL, slices(), every=0.0))


def test_checking_fitting_and_writing_a_large_table_are_all_followed(
        tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    def network() -> Any:
        ids = tf.compat.v1.placeholder(tf.int64, [None], "ids")
        table = tf.compat.v1.get_variable("table", [100_000, 64])
        return {"ids": ids}, {"rows": tf.gather(table, ids)}
    source = servable(tmp_path, network)
    hours = itertools.count(step=3600)
    monkeypatch.setattr(log, "time", SimpleNamespace(monotonic=lambda: next(hours)))
    slim(source, "quantize_weights")
    told = "\n".join(record.getMessage() for record in caplog.records)
    for work in ("checking table, ", "fitting table, ", "writing table/codes, "):
        assert work in told
