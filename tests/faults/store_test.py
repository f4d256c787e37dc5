"""Object stores, which cannot rename a folder at once: no half of a version can ever be loaded.

`ram://` stands in for them: a file system of TensorFlow's in this process's memory that loses the files
of a folder that is renamed.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import DestinationError, optimize_saved_model
from estimator_slim.report import from_json
from estimator_slim.saved_model.publish import published, withdraw
from estimator_slim.saved_model.temporary import temporary_name
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
    tf.io.gfile.makedirs(folder)
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


def test_what_a_process_that_died_in_mid_move_left_goes_when_the_next_one_publishes(
        original: Path, store: str) -> None:
    claimed(store, process=2**22 + 1, seconds=3600)  # no system gives a process such a number
    slim(original, f"{store}/7")
    assert files(f"{store}/7") == FILES
    assert tf.io.gfile.listdir(store) == ["7"]


def test_where_another_machine_claims_a_version_it_is_left_alone_until_the_claim_ends(
        original: Path, store: str) -> None:
    others = claimed(store, machine="0" * 8, process=1, seconds=3600)
    before = files(store)
    with pytest.raises(DestinationError, match="7 exists already"):
        slim(original, f"{store}/7")
    assert files(store) == before
    write(f"{others}/claim", f"1 {time.time() - 1:.0f}")
    slim(original, f"{store}/7")
    assert tf.io.gfile.listdir(store) == ["7"]


@pytest.mark.parametrize("name", ["0" * 16, "f" * 16], ids=["comes first", "comes last"])
def test_of_two_that_claim_a_version_one_goes_on(
        original: Path, store: str, monkeypatch: Any, name: str) -> None:
    """The other one withdraws when it sees ours, where ours comes first; else we do."""
    calls = []

    def claim_too(directory: str) -> list[str]:
        calls.append(directory)
        return [f"temp-7-{name}"] if len(calls) < 3 else []
    monkeypatch.setattr("estimator_slim.saved_model.store._claims", claim_too)
    if name.startswith("f"):
        slim(original, f"{store}/7")
        assert files(f"{store}/7") == FILES
    else:
        with pytest.raises(DestinationError, match="7 is being written by another process"):
            slim(original, f"{store}/7")
        assert files(store) == set()
    assert len(calls) == (3 if name.startswith("f") else 1)


def test_what_another_process_moves_meanwhile_is_not_touched(
        original: Path, store: str, monkeypatch: Any) -> None:
    """As where a store lists its claim too late."""
    copy = tf.io.gfile.copy

    def copy_and_publish(*arguments: Any, **by_name: Any) -> None:
        copy(*arguments, **by_name)
        monkeypatch.setattr(tf.io.gfile, "copy", copy)
        monkeypatch.setattr("estimator_slim.saved_model.store._refuse_existing", lambda _: None)
        write(f"{store}/7/variables/variables.index", "another's")
    monkeypatch.setattr(tf.io.gfile, "copy", copy_and_publish)
    with pytest.raises(DestinationError, match="7 is being written by another process"):
        slim(original, f"{store}/7")
    assert "variables/variables.index" in files(f"{store}/7")


def test_where_there_is_no_room_on_the_disk_nothing_is_left_in_the_store(
        original: Path, store: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such")
    with pytest.raises(DestinationError, match="/no/such cannot be written .*Set TMPDIR"):
        slim(original, f"{store}/7")
    assert files(store) == set()


def test_what_is_to_be_replaced_gives_way_when_all_is_written(original: Path, store: str) -> None:
    slim(original, f"{store}/7")
    with published(f"{store}/7", replacing=True) as folder:
        assert files(f"{store}/7") == FILES
        Path(folder, "saved_model.pb").write_bytes(b"new")
    assert files(f"{store}/7") == {"saved_model.pb"}


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


def claimed(store: str, *, process: int, seconds: float, machine: str | None = None) -> str:
    """Leaves in a store what a process has there in mid-move; returns its temporary folder."""
    folder = temporary_name(f"{store}/7")
    if machine:
        folder = folder[:-16] + machine + folder[-8:]
    write(f"{folder}/claim", f"{process} {time.time() + seconds:.0f}")
    write(f"{folder}/saved_model.pb", "not moved yet")
    write(f"{store}/7/variables/variables.index", "moved")
    return folder


def write(path: str, text: str) -> None:
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(text)


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
