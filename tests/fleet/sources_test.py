"""Which servables a pattern means, and where each goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from estimator_slim import OptionError, SourceError, optimize_saved_model
from estimator_slim.fleet import destination_in, is_pattern
from estimator_slim.fleet.sources import servables, shared_folder
from tests.support import many


def test_a_pattern_means_originals_and_neither_slim_nor_unfinished_ones(tmp_path: Path) -> None:
    first, second = many.make(tmp_path, 2)
    optimize_saved_model(first, transforms="remove_device")
    (second / "saved_model.pb").rename(second / "saved_model.pbtxt")
    second.rename(second.with_name("temp-1700000001"))
    (first.parent / "notes.txt").write_text("no servable")
    found = servables([str(tmp_path / "models/*/export/*/*")], 60)
    assert list(found) == [str(first)]
    assert found[str(first)] == sum(f.stat().st_size for f in first.rglob("*") if f.is_file())


def test_a_pattern_that_means_nothing_is_an_error_that_shows_one_that_does(tmp_path: Path) -> None:
    many.make(tmp_path, 1)
    with pytest.raises(SourceError, match=r"models/\* matches no folder .*of 1 that match.*best/\*'"):
        servables([str(tmp_path / "models/*")], 60)


def test_a_store_that_is_not_known_is_an_error_in_a_sentence() -> None:
    with pytest.raises(SourceError, match=r"^no:.*: TensorFlow knows no file system no:// here"):
        servables(["no://a/*"], 60)


def test_a_folder_whose_name_has_brackets_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "best[1]").mkdir()
    assert not is_pattern(str(tmp_path / "best[1]"))
    assert is_pattern(str(tmp_path / "best[12]"))


@pytest.mark.parametrize("sources, folder", [
    (["/models/*/export/best/*"], "/models"),
    (["/models/a*/export/best/7"], "/models"),
    (["/models/a/export/best/7"], "/models/a/export/best"),
    (["/models/a/export/best/7", "/models/b/export/best/7"], "/models"),
    (["/models/a/7", "/other/b/7"], ""),
    (["ram://bucket/models/*/7"], "ram://bucket/models"),
    (["s3://bucket/a/7", "s3://bucket/b/7"], "s3://bucket")], ids=str)
def test_what_all_are_in(sources: list, folder: str) -> None:
    assert shared_folder(sources) == folder


def test_two_stores_have_nothing_in_common() -> None:
    with pytest.raises(OptionError, match="no folder in common.*once for each store"):
        shared_folder(["s3://a/7", "gs://a/7"])


@pytest.mark.parametrize("source, folder, destination", [
    ("/models/a/export/best/7", "/models", "slim/a/export/best/7"),
    ("s3://bucket/models/a/7", "s3://bucket/models", "slim/a/7"),
    ("s3://bucket/models/a/7", "s3://bucket", "slim/models/a/7")])
def test_each_keeps_its_path_from_there(source: str, folder: str, destination: str) -> None:
    assert destination_in("slim", source, folder) == destination


@pytest.mark.parametrize("source", ["/models", "/other/a/7", "s3://models/a/7"])
def test_what_is_not_in_the_folder_is_refused(source: str) -> None:
    with pytest.raises(OptionError, match=f"relative_to: expected a folder that {source} is in"):
        destination_in("slim", source, "/models")
