"""A store that does not answer is given up after a while, which a flag sets, and in one sentence."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import DestinationError, OptionError, SourceError, optimize_saved_model
from estimator_slim.cli.wording import as_flags


@pytest.fixture
def silent(monkeypatch: Any) -> Iterator[None]:
    """A file system that hangs where a path begins with far://, as one does behind a dead network."""
    answered, exists = threading.Event(), tf.io.gfile.exists

    def hangs(path: Any) -> bool:
        if str(path).startswith("far://"):
            answered.wait(60)
            return False
        return exists(path)
    monkeypatch.setattr(tf.io.gfile, "exists", hangs)
    yield
    answered.set()


def test_a_source_that_does_not_answer_is_given_up(silent: None, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="^far://a/1 did not answer within 1 s; check its name, the "
                       "network and the credentials, or wait longer, as with patience=2$"):
        optimize_saved_model("far://a/1", tmp_path / "slim", patience=1)


def test_so_is_a_destination_before_anything_is_read(silent: None, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="^far://a/1 did not answer within 1 s"):
        optimize_saved_model(tmp_path, "far://a/1", patience=1)


@pytest.mark.parametrize("value", [0, 0.5, "soon", True])
def test_what_are_no_seconds_is_an_error(value: Any, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="patience: expected a whole number of seconds"):
        optimize_saved_model(tmp_path, patience=value)


def test_the_command_names_the_flag(silent: None, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as raised:
        optimize_saved_model("far://a/1", tmp_path / "slim", patience=1)
    assert as_flags(str(raised.value)).endswith("or wait longer, as with --slim_patience=2")
