"""`estimator-slim bench`: two servables side by side, and no more said than the rounds show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from estimator_slim.cli import exit_codes
from estimator_slim.cli.bench import _summary, _told
from tests.cli.command_test import adding
from tests.support.by_hand import servable
from tests.support.processes import run_python

BENCH = ["-m", "estimator_slim", "bench"]
FEW = ["--rounds=1", "--seconds=0.01", "--clients=2", "--batches=1,3"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: Any) -> str:
    return servable(tmp_path_factory.mktemp("bench"), adding)


def test_every_measure_is_there_for_both_with_its_ratio(
        original: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=np.ones([4, 2], np.float32))
    done = run_python(*BENCH, original, original, *FEW, "--json",
                      f"--slim_verify_examples={tmp_path}/mine.npz")
    assert (done.returncode, done.stderr) == (exit_codes.DONE, "round 1 of 1\n")
    measured = json.loads(done.stdout)["measured"]
    assert [*measured] == [
        "load, ms", "first request, ms", "median of a batch of 1, ms", "99th of 100 of a batch of 1, ms",
        "median of a batch of 3, ms", "99th of 100 of a batch of 3, ms", "requests a second, 2 clients",
        "memory, MB", "most memory, MB"]
    for one in measured.values():
        assert one["a"] >= 0 and one["b"] >= 0
        assert one["range"] is None or one["range"][0] <= one["ratio"] <= one["range"][1]


def test_a_signature_that_is_not_there_is_told_with_those_that_are(original: str) -> None:
    done = run_python(*BENCH, original, original, "--signature=scores")
    assert (done.returncode, done.stdout) == (exit_codes.WRONG_CALL, "")
    assert done.stderr == (f"estimator-slim: --signature: {original} has no 'scores'; expected one of "
                           "serving_default\n")


def test_where_the_rounds_do_not_agree_no_difference_is_claimed() -> None:
    clear, noisy = "load, ms", "memory, MB"
    rounds = [[{clear: 10.0, noisy: 5.0}, {clear: 5.0, noisy: 6.0}],
              [{clear: 20.0, noisy: 5.0}, {clear: 8.0, noisy: 4.0}],
              [{clear: 10.0, noisy: 5.0}, {clear: 6.0, noisy: 4.5}]]
    found = _summary(rounds)
    assert found[clear] == {"a": 10.0, "b": 6.0, "ratio": 0.5, "range": [0.4, 0.6]}
    told = _told({"a": "A", "b": "B", "signature": "s", "rounds": 3, "measured": found})
    [line] = [one for one in told.splitlines() if one.startswith(clear)]
    assert line.split()[-3:] == ["0.500", "0.400", "0.600"]
    [line] = [one for one in told.splitlines() if one.startswith(noisy)]
    assert line.endswith("no difference shown")
