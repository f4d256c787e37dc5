"""Rows of large tables are the original's, also those that no question asks for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import allowed_by, transform_list
from estimator_slim.verify.gate import Original
from estimator_slim.verify.request import Request
from tests.support.by_hand import servable, v1
from tests.verify.rewriting import rewritten

ROWS, WIDTH = 10_000, 128
LISTS = {"lossless": "strip_unused_nodes", "8 bits": "quantize_weights",
         "4 bits": "quantize_weights(bits=4)", "16 bits": "quantize_weights(bits=16)",
         "equal rows": "merge_identical_rows",
         "equal rows, 8 bits": "merge_identical_rows quantize_weights"}
SPARSE = "equal rows"
ASKED = [Request("serving_default", {"ids": np.array([[3, 5], [7, 11]])}, "asked")]


def network(is_sparse: bool, use_resource: bool) -> Any:
    def made() -> Any:
        ids = v1.placeholder(tf.int64, [None, 2], "ids")
        values = tf.random.stateless_normal([ROWS, WIDTH], (1, 2))
        if is_sparse:  # three of four rows are equal
            values = tf.where(tf.equal(tf.range(ROWS)[:, None] % 4, 3), values, tf.ones_like(values))
        table = v1.get_variable("table", initializer=values, use_resource=use_resource)
        kernel = v1.get_variable("kernel", initializer=tf.random.stateless_normal([WIDTH, 3], (3, 4)))
        return {"ids": ids}, {"scores": tf.matmul(tf.reduce_mean(tf.gather(table, ids), axis=1), kernel)}
    return made


@pytest.fixture(scope="module")
def originals(tmp_path_factory: Any) -> dict[bool, Original]:
    folder = tmp_path_factory.mktemp("rows")
    sources = {one: servable(folder, network(one, not one)) for one in (False, True)}
    return {is_sparse: Original(read_servable(source), ASKED) for is_sparse, source in sources.items()}


@pytest.mark.parametrize("name", LISTS)
def test_a_row_that_nobody_asks_for_is_held_against_the_originals(
        originals: dict[bool, Original], tmp_path: Path, name: str) -> None:
    original, bounds = originals[SPARSE in name], allowed_by(transform_list(LISTS[name]))
    source, whole = original._servable.directory, tmp_path / "whole"  # noqa: SLF001
    optimize_saved_model(source, whole, LISTS[name], verify="off")
    assert original.compare(str(whole), bounds).failures == ()
    shutil.copytree(whole, tmp_path / "broken")
    rewritten(tmp_path / "broken", last_row_changed)
    failure, = original.compare(str(tmp_path / "broken"), bounds).failures
    assert "rows of the table 'table' are not the original's: row 9999 is off by" in str(failure)


def last_row_changed(tensors: dict[str, np.ndarray]) -> None:
    key = max((key for key in tensors if key.startswith("table")), key=lambda key: tensors[key].nbytes)
    row = -1 if len(tensors[key]) == ROWS else -2  # the last one of an index stands for all others
    tensors[key][row] = np.roll(tensors[key][row], 7)
