"""Where nobody reads any longer what a command prints, it does its work all the same."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl.testing import flagsaver

from estimator_slim.cli import exit_codes, main
from estimator_slim.cli.unread import unread_is_lost
from tests.support.by_hand import servable, v1, variable


def adding() -> Any:
    x = v1.placeholder(tf.float32, [None, 2], "x")
    return {"x": x}, {"y": x + variable("bias", np.float32(1.0))}


@contextlib.contextmanager
def closed() -> Iterator[Any]:
    """A pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as pipe:
        yield pipe


def optimize(*arguments: Any) -> int:
    with (flagsaver.flagsaver(), closed() as out, closed() as err,
          contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)):
        return main(["optimize", *map(str, arguments), "--slim_transforms=", "--slim_verify=off"])


def test_a_servable_is_optimized_though_nobody_reads_how_far_it_is(tmp_path: Path) -> None:
    assert optimize(servable(tmp_path, adding), tmp_path / "slim/1") == exit_codes.DONE
    assert (tmp_path / "slim/1/saved_model.pb").exists()


def test_the_exit_code_says_that_it_failed_though_nobody_reads_why(tmp_path: Path) -> None:
    original = servable(tmp_path, adding)
    Path(original, "saved_model.pb").write_bytes(b"\xff")
    assert optimize(original, tmp_path / "slim/1") == exit_codes.FAILED


def test_a_log_that_closes_what_it_wrote_to_leaves_it_open() -> None:
    with open(os.devnull, "w", encoding="utf-8") as err, contextlib.redirect_stderr(err):
        with unread_is_lost():
            sys.stderr.close()
        assert not err.closed
