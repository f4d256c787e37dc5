"""What dead processes left beside a version is removed, and nothing that lives or is another's."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim.saved_model.publish import published
from estimator_slim.saved_model.temporary import (
    UNTOUCHED_SECONDS,
    locked,
    remove_abandoned,
    temporary_folder,
    temporary_name,
)
from tests.support.training import contents

LONG_AGO = time.time() - 2 * UNTOUCHED_SECONDS
ELSEWHERE = "temp-7-0000000000000000"  # as another machine would name it


def test_what_a_dead_process_left_is_removed_by_the_next_that_publishes(tmp_path: Path) -> None:
    left(temporary_name(str(tmp_path / "6")))
    with published(str(tmp_path / "7")) as directory:
        assert os.listdir(tmp_path) == [os.path.basename(directory)]


def test_what_is_being_written_stays(tmp_path: Path) -> None:
    with temporary_folder(str(tmp_path / "6")) as living:
        left(living, touched=LONG_AGO)
        remove_abandoned(str(tmp_path))
        assert Path(living, "variables/data").exists()


@pytest.mark.parametrize("name", ["temp-7", "temp-1700000001", "temp-7-notes", "temp-7-12ab34cd", "7",
                                  "temp-7-0123456789abcdef.bak", "xtemp-7-0123456789abcdef"])
def test_folders_with_names_of_others_stay(tmp_path: Path, name: str) -> None:
    left(str(tmp_path / name), touched=LONG_AGO)
    before = contents(tmp_path)
    remove_abandoned(str(tmp_path))
    assert contents(tmp_path) == before


def test_what_another_machine_writes_stays_as_long_as_anything_in_it_was_touched_within_a_day(
        tmp_path: Path) -> None:
    left(str(tmp_path / ELSEWHERE), touched=LONG_AGO)
    os.utime(tmp_path / ELSEWHERE / "variables/data")
    remove_abandoned(str(tmp_path))
    assert (tmp_path / ELSEWHERE / "variables/data").exists()


def test_what_another_machine_left_is_removed_after_a_day(tmp_path: Path) -> None:
    left(str(tmp_path / ELSEWHERE), touched=LONG_AGO)
    remove_abandoned(str(tmp_path))
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("touched, stays", [(LONG_AGO, False), (time.time(), True)],
                         ids=["long ago", "now"])
def test_without_locks_age_tells(tmp_path: Path, monkeypatch: Any, touched: float, stays: bool) -> None:
    def no_locks(*arguments: Any) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    monkeypatch.setattr(fcntl, "flock", no_locks)
    left(temporary_name(str(tmp_path / "6")), touched=touched)
    with published(str(tmp_path / "7")) as directory:
        assert len(os.listdir(tmp_path)) == 1 + stays
        Path(directory, "saved_model.pb").write_bytes(b"graph")
    assert (tmp_path / "7/saved_model.pb").exists()


def test_where_the_age_is_unknown_all_stays() -> None:
    folder = "ram://without-times/temp-7-0000000000000000"
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(f"{folder}/data", "w") as file:
        file.write("x")
    assert tf.io.gfile.stat(f"{folder}/data").mtime_nsec == 0
    remove_abandoned("ram://without-times")
    assert tf.io.gfile.exists(f"{folder}/data")


def test_one_that_is_just_being_made_stays(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    caplog.set_level("INFO", "absl")
    flock, looked = fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        made = os.listdir(tmp_path)
        if made and not looked:
            looked.extend(made)
            remove_abandoned(str(tmp_path))
        flock(descriptor, operation)
    monkeypatch.setattr(fcntl, "flock", late)
    with temporary_folder(str(tmp_path / "7")) as folder:
        assert os.listdir(tmp_path) == looked == [os.path.basename(folder)]
    assert "removing" not in caplog.text


def test_one_that_is_just_being_made_gets_its_lock_whoever_looks_meanwhile(
        tmp_path: Path, monkeypatch: Any) -> None:
    flock, kept = fcntl.flock, contextlib.ExitStack()

    def lock_and_keep(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        kept.callback(os.close, os.dup(descriptor))  # a lock lasts as long as any copy is open

    def look_before_it_is_locked(descriptor: int, operation: int) -> None:
        if os.listdir(tmp_path):
            monkeypatch.setattr(fcntl, "flock", lock_and_keep)
            remove_abandoned(str(tmp_path))
            monkeypatch.setattr(fcntl, "flock", flock)
        flock(descriptor, operation)
    monkeypatch.setattr(fcntl, "flock", look_before_it_is_locked)
    with temporary_folder(str(tmp_path / "7")) as folder:
        kept.close()
        remove_abandoned(str(tmp_path))
        assert os.path.exists(folder)


def test_of_many_that_publish_at_once_none_is_taken_for_dead(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level("INFO", "absl")

    def publish(number: int) -> None:
        for version in range(number, 400, 8):
            with published(str(tmp_path / str(version))) as directory:
                Path(directory, "saved_model.pb").touch()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(publish, range(8)))
    assert sorted(os.listdir(tmp_path)) == sorted(map(str, range(400)))
    assert caplog.text == ""


def test_where_another_program_has_the_folder_locked_versions_appear_and_nothing_is_removed(
        tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("estimator_slim.saved_model.temporary._PATIENCE", 0.1)
    left(temporary_name(str(tmp_path / "6")))
    with locked(str(tmp_path)) as mine, published(str(tmp_path / "7")):
        assert mine
    assert len(os.listdir(tmp_path)) == 2


# ---- in a folder that is everybody's


def test_of_those_of_one_name_no_others_are_removed(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        left(temporary_name(str(tmp_path / name)))
    remove_abandoned(str(tmp_path), "mine")
    assert [name.split("-")[1] for name in os.listdir(tmp_path)] == ["other"]


def test_what_another_user_left_there_stays_and_is_not_spoken_of(
        tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    left(temporary_name(str(tmp_path / "mine")))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    remove_abandoned(str(tmp_path), "mine")
    assert len(os.listdir(tmp_path)) == 1
    assert caplog.text == ""


def test_a_link_that_is_named_like_one_leads_to_no_removal(tmp_path: Path) -> None:
    left(str(tmp_path / "kept"))
    os.symlink(tmp_path / "kept", temporary_name(str(tmp_path / "mine")))
    before = contents(tmp_path)
    remove_abandoned(str(tmp_path), "mine")
    assert contents(tmp_path) == before


def left(folder: str, *, touched: float | None = None) -> None:
    """Makes a folder like one that a process left, last touched then."""
    os.makedirs(os.path.join(folder, "variables"), exist_ok=True)
    Path(folder, "variables/data").write_bytes(b"weights")
    for path in ("variables/data", "variables", ""):
        os.utime(os.path.join(folder, path), None if touched is None else (touched, touched))
