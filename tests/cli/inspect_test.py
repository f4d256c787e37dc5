"""`estimator-slim inspect`: what a servable is made of, whichever folder of its model is given."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.cli import exit_codes
from estimator_slim.cli.inspect import _trained
from estimator_slim.graph import Training, Weight
from tests.support.by_hand import servable, v1, variable
from tests.support.processes import run_python

INSPECT = ["-m", "estimator_slim", "inspect"]
ROWS, WIDE = 2_000, 64


def looking_up() -> Any:
    ids = v1.placeholder(tf.int64, [None], "ids")
    table = variable("table", np.random.default_rng(3).normal(size=(ROWS, WIDE)).astype(np.float32))
    return {"ids": ids}, {"sum": tf.reduce_sum(tf.gather(table, ids), axis=1)}


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: Any) -> Path:
    """A model_dir with two versions."""
    folder = tmp_path_factory.mktemp("model")
    made = servable(tmp_path_factory.mktemp("made"), looking_up)
    for version in ("8", "11"):
        shutil.copytree(made, folder / "export/best" / version)
    return folder


@pytest.fixture(scope="module")
def shown(model_dir: Path) -> str:
    done = run_python(*INSPECT, model_dir)
    assert (done.returncode, done.stderr) == (exit_codes.DONE, "")
    return done.stdout


def test_of_a_model_dir_the_latest_version_is_shown_and_that_is_said(
        shown: str, model_dir: Path) -> None:
    assert shown.startswith(f"{model_dir}/export/best/11 (the latest in {model_dir})\n")


@pytest.mark.parametrize("line", [
    "  takes    ids  int64 (None,)", "  answers  sum  float32 (None,)",
    "  100.0 %  ████████████████████  0.5 MB  table  float32 [2000, 64]"])
def test_signatures_and_weights_are_lines(shown: str, line: str) -> None:
    assert line in shown.splitlines()


def test_the_same_is_there_for_programs(model_dir: Path) -> None:
    done = run_python(*INSPECT, model_dir / "export/best/8", "--json")
    found = json.loads(done.stdout)
    assert (found["directory"], found["tags"]) == (f"{model_dir}/export/best/8", ["serve"])
    assert found["signatures"]["serving_default"]["inputs"] == {"ids": "int64 (None,)"}
    [weight] = found["weights"]
    assert (weight["name"], weight["shape"], weight["bytes"]) == ("table", [ROWS, WIDE], 4 * ROWS * WIDE)
    estimate = found["estimate"]
    assert [*estimate] == ["lossless", "16 bits", "balanced", "4 bits", "smallest"]
    assert estimate["lossless"] > estimate["16 bits"] > estimate["balanced"] > estimate["4 bits"]


def test_trained_rows_are_counted_or_it_is_said_why_not() -> None:
    weight = Weight.of_array(np.zeros((200_000, 2), np.float32))
    assert _trained(weight) == {}
    known = Training(lambda start, stop: np.arange(start, stop) % 3 == 0)
    assert _trained(replace(weight, training=known)) == {"trained_rows": 66_667}
    unknown = Training.not_known("its slots decay")
    assert _trained(replace(weight, training=unknown)) == {"trained_unknown": "its slots decay"}
