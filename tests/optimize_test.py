"""What optimize_saved_model promises: a whole servable, the same each time, and a report."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorflow.core.protobuf import saved_model_pb2

from estimator_slim import OptionError, Report, optimize_saved_model
from tests.support.alike import assert_alike
from tests.support.ask import ask
from tests.support.training import LOSSLESS, contents, requests, versions

PROGRAM = "import sys, estimator_slim as e; e.optimize_saved_model(*sys.argv[1:], verify='off')"


@pytest.fixture
def source(trained_with_extras: str) -> str:
    """A servable with a vocabulary file in assets/ and two files in assets.extra/."""
    return trained_with_extras


@pytest.fixture
def text_source(exported: Callable) -> str:
    """A servable with a saved_model.pbtxt."""
    return exported("as_text")


def test_the_report_tells_what_was_done(source: str, tmp_path: Path) -> None:
    slim = str(tmp_path / "slim")
    report = optimize_saved_model(source, slim, "strip_unused_nodes quantize_weights")
    assert isinstance(report, Report)
    assert (report.source, report.destination) == (source, slim)
    assert report.signatures == ["classification", "predict", "serving_default"]
    assert report.bytes_before == size(source)
    assert report.bytes_after == size(slim)
    assert report.ratio == report.bytes_after / report.bytes_before < 1
    assert report.nodes_after == len(nodes(slim)) < report.nodes_before == len(nodes(source))
    assert report.seconds >= sum(step.seconds for step in report.steps) > 0
    assert [step.transform for step in report.steps] == ["strip_unused_nodes", "quantize_weights"]
    assert report.as_dict()["steps"][0]["transform"] == "strip_unused_nodes"
    assert str(report).endswith(", not verified")


def test_the_transforms_are_reported_with_what_they_left_alone_and_why(
        source: str, tmp_path: Path) -> None:
    report = optimize_saved_model(source, tmp_path / "slim", "quantize_weights(minimum_size=99999)")
    reasons = [reason for _, reason in report.steps[0].skipped]
    assert any("minimum_size" in reason for reason in reasons)


def test_the_source_is_never_changed(source: str, tmp_path: Path) -> None:
    before = contents(source)
    optimize_saved_model(source, tmp_path / "slim")
    assert contents(source) == before


@pytest.mark.parametrize("kind", [str, os.fsencode, Path, lambda path: f"{path}/"],
                         ids=["str", "bytes", "pathlib", "slash"])
def test_paths_of_every_kind_are_taken(source: str, tmp_path: Path, kind: Any) -> None:
    report = optimize_saved_model(kind(source), kind(str(tmp_path / "slim")), LOSSLESS)
    assert (report.source, report.destination) == (source, str(tmp_path / "slim"))


def test_relative_paths_are_taken(source: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(os.path.dirname(source))
    optimize_saved_model(os.path.basename(source), os.path.relpath(tmp_path / "slim"), LOSSLESS)
    assert (tmp_path / "slim/saved_model.pb").exists()


def test_without_a_destination_the_twin_stands_in_the_sibling_with_the_suffix(
        source: str, tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best/7").symlink_to(source, target_is_directory=True)
    optimize_saved_model(tmp_path / "best/7", transforms=LOSSLESS, suffix=".slim")
    assert versions(tmp_path) == ["best", "best.slim", "best.slim-report"]
    assert versions(tmp_path / "best.slim") == ["7"]


@pytest.mark.parametrize("folder, path", [("best", "7"), ("best", "./7"), ("best/7", ".")])
def test_without_a_destination_a_relative_source_has_its_twin_in_the_same_place(
        source: str, tmp_path: Path, monkeypatch: Any, folder: str, path: str) -> None:
    shutil.copytree(source, tmp_path / "best/7")
    monkeypatch.chdir(tmp_path / folder)
    optimize_saved_model(path, transforms=LOSSLESS)
    assert versions(tmp_path) == ["best", "best-slim", "best-slim-report"]
    assert (versions(tmp_path / "best"), versions(tmp_path / "best-slim")) == (["7"], ["7"])


@pytest.mark.parametrize("folder", ["assets", "assets.extra"])
def test_assets_and_warm_up_requests_are_copied_as_they_are(
        source: str, tmp_path: Path, folder: str) -> None:
    optimize_saved_model(source, tmp_path / "slim")
    assert len(contents(f"{source}/{folder}")) >= 1
    assert contents(tmp_path / "slim" / folder) == contents(f"{source}/{folder}")


def test_a_source_that_has_gone_is_not_needed_to_serve(source: str, tmp_path: Path) -> None:
    expected = ask(source, [requests()])
    optimize_saved_model(shutil.copytree(source, tmp_path / "source"), tmp_path / "slim", LOSSLESS)
    os.rename(tmp_path / "source", tmp_path / "elsewhere")
    assert_alike(ask(str(tmp_path / "slim"), [requests()]), expected, atol=1e-5)


def test_a_text_saved_model_is_read_as_a_binary_one_is(text_source: str, tmp_path: Path) -> None:
    assert "saved_model.pbtxt" in contents(text_source)
    optimize_saved_model(text_source, tmp_path / "slim", LOSSLESS)
    assert_alike(ask(str(tmp_path / "slim"), [requests()]), ask(text_source, [requests()]),
                atol=1e-5)


def test_two_processes_write_the_same_bytes(source: str, tmp_path: Path, cold: None) -> None:
    """This one and one that orders sets and hashes otherwise."""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    subprocess.run([sys.executable, "-c", PROGRAM, source, str(tmp_path / "there")], check=True,
                   env=dict(os.environ, PYTHONHASHSEED=seed), cwd=Path(__file__).parents[1])
    optimize_saved_model(source, tmp_path / "here", verify="off")
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    assert "saved_model.pb" in contents(tmp_path / "here")


def test_an_empty_list_of_transforms_only_freezes(source: str, tmp_path: Path) -> None:
    report = optimize_saved_model(source, tmp_path / "slim", "")
    assert report.steps == []
    assert_alike(ask(str(tmp_path / "slim"), [requests()]), ask(source, [requests()]), atol=1e-6)


def test_disabled_it_does_nothing(source: str, tmp_path: Path) -> None:
    assert optimize_saved_model(source, tmp_path / "slim", enabled=False) is None
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("arguments, message", [
    ({"transforms": "quantize_wieghts"}, "column 1.*did you mean 'quantize_weights'"),
    ({"transforms": "fold_constants(ignore_error=true)"}, "column 16.*mean 'ignore_errors'"),
    ({"transforms": 7}, "expected a text or a sequence of texts and transforms, got int"),
    ({"enabled": "no"}, "enabled: expected True or False, got 'no'"),
    ({"on_error": "ignore"}, "on_error: expected one of keep_original, raise, got 'ignore'"),
    ({"weights": "disk"}, "weights: expected one of auto, variables, constants, got 'disk'"),
    ({"suffix": "a/b"}, "suffix: .*no '/'.*got 'a/b'"),
], ids=str)
def test_a_wrong_argument_is_an_error_before_any_work(
        source: str, tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        optimize_saved_model(source, tmp_path / "slim", **arguments)
    assert contents(tmp_path) == {}


def size(directory: str) -> int:
    return sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file())


def nodes(directory: str) -> list:
    saved_model = saved_model_pb2.SavedModel.FromString(
        Path(directory, "saved_model.pb").read_bytes())
    graph = saved_model.meta_graphs[0].graph_def
    return [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
