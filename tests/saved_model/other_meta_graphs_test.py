"""Exports of several MetaGraphs: the serving one is slimmed, the others go or stay as they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from estimator_slim import optimize_saved_model
from tests.support.ask import ask
from tests.support.models import MODELS

NAME = "all_modes"
MODES = (["train"], ["eval"])


def variables(directory: str, tags: list[str]) -> dict[str, np.ndarray]:
    """Every variable of a MetaGraph by name, as it is when the servable was loaded."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, tags, directory)
        return {v.name: session.run(v) for v in tf.compat.v1.global_variables()}


def tags(directory: str) -> list[list[str]]:
    return [sorted(m.meta_info_def.tags) for m in loader_impl.parse_saved_model(directory).meta_graphs]


@pytest.fixture(scope="module")
def slim(exported: Callable, tmp_path_factory: Any) -> Callable[..., str]:
    """`slim(meta_graphs)`: the all-modes export, optimized."""
    def made(**options: Any) -> str:
        path = str(tmp_path_factory.mktemp("slim") / "1")
        optimize_saved_model(exported(NAME), path, "quantize_weights(minimum_size=1)", **options)
        return path
    return made


def test_only_the_serving_one_is_written_unless_asked(slim: Callable) -> None:
    assert tags(slim()) == [["serve"]]


def test_all_keeps_the_others_as_they_are(exported: Callable, slim: Callable) -> None:
    original, kept = (loader_impl.parse_saved_model(d).meta_graphs
                      for d in (exported(NAME), slim(meta_graphs="all")))
    before, after = ({tuple(m.meta_info_def.tags): m for m in graphs} for graphs in (original, kept))
    assert before.keys() == after.keys() and len(before) == 3
    for mode in MODES:
        assert after[tuple(mode)] == before[tuple(mode)]


@pytest.mark.parametrize("mode", MODES, ids=["train", "eval"])
def test_training_goes_on_from_every_variable_and_slot(
        mode: list[str], exported: Callable, slim: Callable) -> None:
    before, after = (variables(d, mode) for d in (exported(NAME), slim(meta_graphs="all")))
    assert before.keys() == after.keys() and len(before) > 3
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


def test_serving_answers_alike_whether_the_others_are_kept_or_not(slim: Callable) -> None:
    one, all_three = (ask(d, MODELS[NAME].requests) for d in (slim(), slim(meta_graphs="all")))
    assert one.keys() == all_three.keys()
    for key, answer in one.items():
        assert answer == all_three[key] if isinstance(answer, str) else all(
            np.array_equal(all_three[key][name], value) for name, value in answer.items()), key


def test_constants_need_no_checkpoint_but_the_others_do(exported: Callable, tmp_path: Path) -> None:
    for meta_graphs, has_variables in (("serve", False), ("all", True)):
        path = str(tmp_path / meta_graphs / "1")
        optimize_saved_model(exported(NAME), path, "", weights="constants", meta_graphs=meta_graphs)
        assert os.path.exists(f"{path}/variables") is has_variables
        assert ask(path, MODELS[NAME].requests)
