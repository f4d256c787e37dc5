"""published(): a directory appears whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from estimator_slim.errors import DestinationError
from estimator_slim.saved_model.publish import published, withdraw
from tests.support.training import contents


def fill(directory: str) -> None:
    os.makedirs(os.path.join(directory, "variables"))
    Path(directory, "saved_model.pb").write_bytes(b"graph")
    Path(directory, "variables/variables.index").write_bytes(b"index")


def test_the_directory_appears_whole_when_the_block_ends(tmp_path: Path) -> None:
    with published(str(tmp_path / "7")) as directory:
        fill(directory)
        assert not (tmp_path / "7").exists()
    assert contents(tmp_path).keys() == {"7", "7/saved_model.pb", "7/variables",
                                         "7/variables/variables.index"}


def test_all_of_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: Any) -> None:
    fsync, before, after = os.fsync, set(), set()

    def noting(descriptor: int) -> None:
        path = os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), tmp_path)
        (after if (tmp_path / "7").exists() else before).add(path)
        fsync(descriptor)
    monkeypatch.setattr(os, "fsync", noting)
    with published(str(tmp_path / "7")) as directory:
        fill(directory)
    folder = os.path.basename(directory)
    assert before == {folder, f"{folder}/variables", f"{folder}/variables/variables.index",
                      f"{folder}/saved_model.pb"}
    assert after == {"."}  # where the name stands


def test_until_then_it_is_a_sibling_that_a_server_does_not_take_for_a_version(
        tmp_path: Path) -> None:
    with published(str(tmp_path / "1700000001")) as directory:
        assert os.path.dirname(directory) == str(tmp_path)
        with pytest.raises(ValueError, match="invalid literal for int"):
            int(os.path.basename(directory))


def test_missing_folders_on_the_way_are_made(tmp_path: Path) -> None:
    with published(str(tmp_path / "export/best-slim/7")) as directory:
        fill(directory)
    assert (tmp_path / "export/best-slim/7/saved_model.pb").exists()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_when_the_block_raises_nothing_is_left_and_the_error_passes_through(
        tmp_path: Path, error: Any) -> None:
    with pytest.raises(error), published(str(tmp_path / "7")) as directory:
        fill(directory)
        raise error("stop")
    assert contents(tmp_path) == {}


def test_when_the_block_raises_the_folders_made_on_the_way_are_gone_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), published(str(tmp_path / "best-slim/7")) as directory:
        fill(directory)
        raise RuntimeError("stop")
    assert contents(tmp_path) == {}


def test_when_the_block_raises_what_others_put_on_the_way_stays(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), published(str(tmp_path / "best-slim/7")) as directory:
        fill(directory)
        (tmp_path / "best-slim/6").mkdir()
        raise RuntimeError("stop")
    assert contents(tmp_path) == {"best-slim": "folder", "best-slim/6": "folder"}


@pytest.mark.parametrize("kind", ["folder", "folder of a folder", "file", "empty file"])
def test_what_exists_is_refused_before_any_work_and_stays(tmp_path: Path, kind: str) -> None:
    if kind == "folder of a folder":
        (tmp_path / "7/mine").mkdir(parents=True)
    elif kind == "folder":
        (tmp_path / "7").mkdir()
        (tmp_path / "7/mine").write_text("mine")
    else:
        (tmp_path / "7").write_text("mine" if kind == "file" else "")
    before = contents(tmp_path)
    message = "7 exists already.*remove it or give another"
    with pytest.raises(DestinationError, match=message), published(str(tmp_path / "7")):
        raise AssertionError("the block was entered")
    assert contents(tmp_path) == before


def test_an_empty_folder_is_filled_at_once_and_keeps_its_permissions(tmp_path: Path) -> None:
    seven = tmp_path / "7"
    seven.mkdir(0o700)
    with published(str(seven)) as directory:
        fill(directory)
        assert os.listdir(seven) == []
    assert contents(tmp_path).keys() == {"7", "7/saved_model.pb", "7/variables",
                                         "7/variables/variables.index"}
    assert stat.S_IMODE(seven.stat().st_mode) == 0o700


def test_an_empty_folder_at_the_end_of_a_link_is_filled(tmp_path: Path) -> None:
    (tmp_path / "disk/7").mkdir(parents=True)
    (tmp_path / "7").symlink_to("disk/7")
    with published(str(tmp_path / "7")) as directory:
        fill(directory)
    assert os.readlink(tmp_path / "7") == "disk/7"
    assert "disk/7/saved_model.pb" in contents(tmp_path)
    assert os.listdir(tmp_path / "disk") == ["7"]


def test_an_empty_folder_stays_where_the_work_fails(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    with pytest.raises(RuntimeError), published(str(tmp_path / "7")) as directory:
        fill(directory)
        raise RuntimeError("stop")
    assert contents(tmp_path) == {"7": "folder"}


def test_what_appears_in_an_empty_folder_meanwhile_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    message = "exists already"
    with pytest.raises(DestinationError, match=message), published(str(tmp_path / "7")) as directory:
        fill(directory)
        (tmp_path / "7/theirs").write_text("theirs")
    assert contents(tmp_path).keys() == {"7", "7/theirs"}


def test_of_two_writers_into_one_empty_folder_one_fills_it(tmp_path: Path) -> None:
    seven = tmp_path / "7"
    seven.mkdir()
    with pytest.raises(DestinationError), published(str(seven)) as late:
        Path(late, "late").write_text("late")
        with published(str(seven)) as early:
            fill(early)
    assert sorted(os.listdir(seven)) == ["saved_model.pb", "variables"]


def test_a_link_that_leads_nowhere_exists_too(tmp_path: Path) -> None:
    (tmp_path / "7").symlink_to("nowhere")
    with pytest.raises(DestinationError, match="exists already"), published(str(tmp_path / "7")):
        raise AssertionError("the block was entered")
    assert os.readlink(tmp_path / "7") == "nowhere"


def test_what_appears_meanwhile_is_refused_and_stays(tmp_path: Path) -> None:
    seven = tmp_path / "7"
    with pytest.raises(DestinationError, match="exists already"), published(str(seven)) as directory:
        fill(directory)
        seven.mkdir()
        (seven / "theirs").write_text("theirs")
    assert contents(tmp_path).keys() == {"7", "7/theirs"}


def test_a_file_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "export").write_text("in the way")
    message = "export cannot be written.*give a destination in"
    with pytest.raises(DestinationError, match=message), published(str(tmp_path / "export/7")):
        raise AssertionError("the block was entered")
    assert contents(tmp_path).keys() == {"export"}


def test_a_slash_at_the_end_and_a_relative_path_mean_the_same(
        tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for directory in ("7/", "8"):
        with published(directory) as temporary:
            fill(temporary)
    assert sorted(os.listdir(tmp_path)) == ["7", "8"]


def test_two_writers_of_one_place_do_not_mix(tmp_path: Path) -> None:
    seven = str(tmp_path / "7")
    with pytest.raises(DestinationError), published(seven) as late:
        Path(late, "late").write_text("late")
        with published(seven) as early:
            fill(early)
    assert "7/late" not in contents(tmp_path)
    assert "7/saved_model.pb" in contents(tmp_path)


def test_an_error_about_a_file_in_it_names_the_destination_and_a_way_out(tmp_path: Path) -> None:
    message = "7 cannot be written .*No such file.*space left.*another destination"
    with pytest.raises(DestinationError, match=message), published(str(tmp_path / "7")) as directory:
        Path(directory, "missing/saved_model.pb").write_bytes(b"graph")
    assert contents(tmp_path) == {}


def test_a_withdrawn_version_is_gone_and_its_neighbours_stay(tmp_path: Path) -> None:
    for version in ("6", "7"):
        fill(str(tmp_path / version))
    withdraw(str(tmp_path / "6"))
    assert os.listdir(tmp_path) == ["7"]


def test_to_withdraw_what_is_gone_already_is_no_error(tmp_path: Path) -> None:
    withdraw(str(tmp_path / "6"))
    assert contents(tmp_path) == {}


def test_nobody_sees_half_of_a_version_that_is_withdrawn(tmp_path: Path) -> None:
    files, halves, done = 3000, [], threading.Event()
    version = tmp_path / "6"
    version.mkdir()
    for number in range(files):
        (version / str(number)).touch()

    def watch() -> None:
        while not done.is_set():
            listed = _listed(version)
            if listed not in (0, files):
                halves.append(listed)
    watcher = threading.Thread(target=watch)
    watcher.start()
    withdraw(str(version))
    done.set()
    watcher.join()
    assert halves == []


def _listed(version: Path) -> int:
    """How many files a version has that is still there after they were counted; 0 where it is gone."""
    try:
        descriptor = os.open(version, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        count = len(os.listdir(descriptor))
        return count if version.exists() else 0
    finally:
        os.close(descriptor)
