"""A path means the same wherever it is given and however it is spelled: what TensorFlow reads it as."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import (
    DestinationError,
    OptimizingExporter,
    OptionError,
    load_report,
    optimize_saved_model,
)
from estimator_slim.choosing import resolve
from estimator_slim.options import FUNCTION
from estimator_slim.paths import as_text
from estimator_slim.saved_model.temporary import temporary_name
from tests.faults.exporting import Prepared
from tests.support.processes import run_python
from tests.support.training import LOSSLESS, contents, versions

# Of a file: {here} is a folder in which `link` leads to `real/deep`, and everybody works.
SPELLINGS = [
    "{here}/file", "file://{here}/file", "file://localhost{here}/file", "file:///{here}/file", "./file",
    "real/../file", "real//deep/.././../file", "link/../file", "{here}/link/../file", "//{here}/file",
    "nowhere/../file", "file://{here}/link/../file", "file://{here}/real/./deep/../file",
    "file:{here}/file", "a-b://../file", "{here}/file/", "/..{here}/file"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: Any) -> Path:
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real/deep")
    for folder in ("", "real", f"file:{tmp_path}"):
        (tmp_path / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "file").write_text(f"in {folder}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_path_leads_where_tensorflow_reads_a_spelling(here: Path, spelling: str) -> None:
    given = spelling.format(here=here)
    with tf.io.gfile.GFile(given) as file:
        read = file.read()
    assert Path(as_text(given, "src")).read_text(encoding="utf-8") == read
    assert "://" not in as_text(given, "src")
    assert as_text(given.encode(), "src") == as_text(given, "src")


@pytest.mark.parametrize("path, text", [
    ("gs://bucket/best/", "gs://bucket/best"), ("s3://bucket/a//b/../c", "s3://bucket/a//b/../c"),
    ("ram://", "ram://"), ("hdfs://host:9000/best/1", "hdfs://host:9000/best/1"), ("/", "/"),
    ("file:///", "/"), (".", "."), ("export//best/", "export/best"), ("..hidden/x", "..hidden/x")])
def test_what_stands_there_is_kept_as_it_is_meant(path: str, text: str) -> None:
    assert as_text(path, "src") == text


@pytest.mark.parametrize("url", ["file://", "file://folder"])
def test_a_file_url_without_a_path_is_an_error_that_says_so(url: str) -> None:
    with pytest.raises(OptionError, match="dst: expected a path of this machine behind file://, .*got"):
        as_text(url, "dst")


# ---- doors


@pytest.fixture
def source(trained: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "best/1700000001"))


def test_the_function_takes_urls_everywhere(source: Path, tmp_path: Path) -> None:
    report = optimize_saved_model(f"file://{source}", f"file://{tmp_path}/slim/1700000001/", LOSSLESS,
                                  report=f"file://{tmp_path}/records")
    assert report.source == str(source)
    assert report.destination == str(tmp_path / "slim/1700000001")
    assert versions(tmp_path) == ["best", "records", "slim"]
    kept = tmp_path / "records/slim-report/1700000001.json"
    assert load_report(f"file://{kept}") == report


def test_the_folder_beside_a_url_is_the_folder_beside_its_path(source: Path, tmp_path: Path) -> None:
    optimize_saved_model(f"file://{tmp_path}/best/../best/1700000001", transforms=LOSSLESS)
    assert versions(tmp_path) == ["best", "best-slim", "best-slim-report"]


def test_a_root_is_a_door_too(source: Path, tmp_path: Path) -> None:
    optimize_saved_model(source, transforms=LOSSLESS, root=f"file://{tmp_path}/nowhere/../served")
    assert versions(tmp_path) == ["best", "served"]
    with pytest.raises(DestinationError, match="is inside the original"):
        optimize_saved_model(source, transforms=LOSSLESS, root=f"file://{source}")


def test_the_checkpoint_and_the_examples_are_doors_too(trained: str, tmp_path: Path) -> None:
    model_dir = Path(trained).parents[1] / "model"
    found = resolve(FUNCTION, {"checkpoint": f"file://{model_dir}/"}).checkpoint
    assert found is not None
    assert Path(found).parent == model_dir
    (tmp_path / "examples.json").write_text("[]", encoding="utf-8")
    given = resolve(FUNCTION, {"verify_examples": f"file://{tmp_path}/examples.json"})
    assert given.verify_examples == str(tmp_path / "examples.json")


def test_the_command_takes_urls_too(source: Path, tmp_path: Path) -> None:
    optimize_saved_model(source, transforms=LOSSLESS)
    [record] = (tmp_path / "best-slim-report").glob("*.json")
    done = run_python("-m", "estimator_slim", "report", f"file://{record}", f"file://{tmp_path}/page.html")
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "page.html")), done.stderr
    before = contents(tmp_path)
    done = run_python("-m", "estimator_slim", "optimize", str(source), f"file://{source}/slim")
    assert done.returncode != 0
    assert "is inside the original" in done.stderr
    assert contents(tmp_path) == before


class ByUrl(Prepared):
    """Returns a URL, as an Estimator does whose model_dir is one."""

    def export(self, *arguments: Any, **by_name: Any) -> Any:
        return f"file://{super().export(*arguments, **by_name)}".encode()


def test_an_exporter_that_returns_urls_is_followed_by_its_twins(trained: str, tmp_path: Path) -> None:
    names = ["1700000001", "1700000002"]
    exporter = OptimizingExporter(ByUrl(trained, names, keep=1), LOSSLESS,
                                  report=f"file://{tmp_path}/records")
    left = Path(temporary_name(str(tmp_path / "latest-slim/1700000000")))
    left.mkdir(parents=True)  # of a process that was killed
    for _ in names:
        exporter.export(estimator=None, export_path=str(tmp_path / "latest"), checkpoint_path="",
                        eval_result={}, is_the_final_export=False)
    assert versions(tmp_path) == ["latest", "latest-slim", "records"]
    assert versions(tmp_path / "latest-slim") == versions(tmp_path / "latest") == names[1:]
    assert versions(tmp_path / "records/latest-slim-report") == [
        "1700000002.html", "1700000002.json"]
    assert not left.exists()


# ---- nothing is written into an original


INSIDE = ["file://{source}", "file://{source}/slim", "file://elsewhere{source}/slim",
          "{source}/nowhere/../slim", "file://{link}/slim", "{link}/slim", "{folder}/.//1700000001/slim"]


@pytest.mark.parametrize("spelling", INSIDE)
@pytest.mark.parametrize("on_error", ["raise", "keep_original"])
def test_a_destination_inside_the_original_is_refused_however_it_is_spelled(
        source: Path, tmp_path: Path, spelling: str, on_error: str) -> None:
    (tmp_path / "link").symlink_to(source)
    given = spelling.format(source=source, link=tmp_path / "link", folder=source.parent)
    before = contents(tmp_path)
    if on_error == "raise":
        with pytest.raises(DestinationError, match="inside the original .*give a destination outside"):
            optimize_saved_model(source, given, LOSSLESS)
    else:
        assert optimize_saved_model(source, given, LOSSLESS, on_error=on_error) is None
    assert contents(tmp_path) == before


@pytest.mark.parametrize("spelling", INSIDE)
def test_a_folder_for_records_inside_the_original_is_refused(
        source: Path, tmp_path: Path, spelling: str) -> None:
    (tmp_path / "link").symlink_to(source)
    given = spelling.format(source=source, link=tmp_path / "link", folder=source.parent)
    before = contents(tmp_path)
    with pytest.raises(DestinationError, match="inside the original .*a folder for records outside"):
        optimize_saved_model(source, tmp_path / "slim", LOSSLESS, report=given)
    assert contents(tmp_path) == before


def test_an_original_that_is_given_by_a_link_is_told_from_nothing_else(
        source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(DestinationError, match="is inside the original"):
        optimize_saved_model(tmp_path / "link", source / "slim", LOSSLESS)
    optimize_saved_model(tmp_path / "link", f"{source}-slim", LOSSLESS)  # begins alike
    assert "1700000001-slim" in versions(tmp_path / "best")
