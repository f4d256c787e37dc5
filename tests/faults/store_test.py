"""Object stores, which cannot rename a folder at once: no half of a version can ever be loaded.

`ram://` stands in for them: a file system of TensorFlow's in this process's memory that loses the files
of a folder that is renamed.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import DestinationError, optimize_saved_model
from estimator_slim.report import from_json
from estimator_slim.saved_model.publish import withdraw
from tests.faults.exporting import ORIGINALS, numbered
from tests.faults.killing import answers, compare
from tests.support import training

FILES = {"assets/vocabulary.txt", "saved_model.pb", "variables/variables.data-00000-of-00001",
         "variables/variables.index"}


@pytest.fixture
def original(first_scene: Path) -> Path:
    return numbered(first_scene / ORIGINALS)[-1]


@pytest.fixture
def store() -> Iterator[str]:
    folder = f"ram://{uuid.uuid4().hex}"
    yield folder
    tf.io.gfile.rmtree(folder)


def test_a_version_in_a_store_is_whole_and_answers(original: Path, store: str) -> None:
    slim(original, f"{store}/7")
    assert files(f"{store}/7") == FILES
    assert tf.io.gfile.listdir(store) == ["7"]
    compare(answers(f"{store}/7"), answers(original))


def test_a_record_is_kept_in_a_store(original: Path) -> None:
    folder = f"ram://{uuid.uuid4().hex}"
    report = optimize_saved_model(original, f"{folder}/best-slim/7", training.LOSSLESS)
    with tf.io.gfile.GFile(f"{folder}/best-slim-report/7.json") as file:
        assert from_json(file.read()) == report


def test_until_the_last_file_is_in_the_store_there_is_nothing_to_load(
        original: Path, store: str, monkeypatch: Any) -> None:
    seen = []
    rename = tf.io.gfile.rename

    def watched(*arguments: Any, **by_name: Any) -> None:
        seen.append(files(f"{store}/7"))
        rename(*arguments, **by_name)
    monkeypatch.setattr(tf.io.gfile, "rename", watched)
    slim(original, f"{store}/7")
    assert len(seen) == len(FILES)
    assert not any("saved_model.pb" in there for there in seen)


@pytest.mark.parametrize("number", range(len(FILES)))
def test_when_a_file_cannot_be_moved_nothing_is_left_and_the_next_time_it_works(
        original: Path, store: str, monkeypatch: Any, number: int) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(tf.io.gfile, "rename", failing_at(number, tf.io.gfile.rename))
        with pytest.raises(DestinationError, match="7 cannot be written .*the store is away.*another"):
            slim(original, f"{store}/7")
    assert not tf.io.gfile.exists(f"{store}/7")
    slim(original, f"{store}/7")
    assert files(f"{store}/7") == FILES


def test_a_store_that_is_mounted_and_renames_half_a_folder_leaves_nothing(
        original: Path, tmp_path: Path, monkeypatch: Any) -> None:
    def half(source: str, target: str, overwrite: bool = False) -> None:
        os.makedirs(target)
        for file in ("saved_model.pb", "assets"):
            os.rename(os.path.join(source, file), os.path.join(target, file))
        raise tf.errors.UnavailableError(None, None, "the store is away")
    monkeypatch.setattr(tf.io.gfile, "rename", half)
    with pytest.raises(DestinationError, match="7 cannot be written .*the store is away.*another"):
        slim(original, str(tmp_path / "slim/7"))
    assert training.contents(tmp_path) == {}


def test_a_version_that_is_in_the_store_is_refused_and_stays(original: Path, store: str) -> None:
    slim(original, f"{store}/7")
    with pytest.raises(DestinationError, match="7 exists already"):
        slim(original, f"{store}/7")
    assert files(f"{store}/7") == FILES


def test_a_version_is_withdrawn_from_a_store_beginning_with_what_loaders_look_for(
        original: Path, store: str, monkeypatch: Any) -> None:
    slim(original, f"{store}/7")
    left = []
    rmtree = tf.io.gfile.rmtree

    def watched(path: str) -> None:
        left.append(files(path))
        rmtree(path)
    monkeypatch.setattr(tf.io.gfile, "rmtree", watched)
    withdraw(f"{store}/7")
    assert left == [FILES - {"saved_model.pb"}]
    assert not tf.io.gfile.exists(f"{store}/7")


def slim(original: Path, directory: str) -> None:
    optimize_saved_model(original, directory, training.LOSSLESS, verify="off", weights="variables",
                         report="off")


def files(directory: str) -> set[str]:
    """The paths of the files in a folder; none where there is no folder."""
    return {os.path.relpath(os.path.join(folder, name), directory)
            for folder, _, names in tf.io.gfile.walk(directory) for name in names}


def failing_at(number: int, rename: Callable) -> Callable:
    """A rename that does not do what it is called for at its call `number`, counted from 0."""
    calls = []

    def rename_or_fail(*arguments: Any, **by_name: Any) -> None:
        calls.append(arguments)
        if len(calls) - 1 == number:
            raise tf.errors.UnavailableError(None, None, "the store is away")
        rename(*arguments, **by_name)
    return rename_or_fail
