"""`estimator-slim sync` makes up for what is missing, and `--check` says by its exit code what is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from absl.testing import flagsaver

from estimator_slim import load_report
from estimator_slim.cli import exit_codes, main
from estimator_slim.saved_model import temporary_folder
from tests.support.training import LOSSLESS, versions

FIRST, SECOND = "1700000001", "1700000002"
LIST = f"--slim_transforms={LOSSLESS}"


@pytest.fixture
def model_dir(trained: str, tmp_path: Path) -> Path:
    """A model_dir whose exporter `best` lacks both slim twins; `latest` was never slimmed."""
    for name in ("data-00000-of-00001", "index", "meta"):
        shutil.copy(Path(trained).parents[1] / f"model/model.ckpt-1.{name}", tmp_path)
    for export in ("best", "latest"):
        for version in (FIRST, SECOND):
            shutil.copytree(trained, tmp_path / "export" / export / version)
    (tmp_path / "export/best-slim").mkdir()
    return tmp_path


def sync(*arguments: Any) -> int:
    with flagsaver.flagsaver():
        return main(["sync", *map(str, arguments)])


def test_what_is_missing_is_made_with_its_checkpoint_and_nothing_else_is(
        model_dir: Path, capsys: Any) -> None:
    assert sync(model_dir, "--check", LIST) == exit_codes.FAILED
    assert versions(model_dir / "export/best-slim") == []
    assert sync(model_dir, LIST) == exit_codes.DONE
    assert versions(model_dir / "export/best-slim") == [FIRST, SECOND]
    assert not (model_dir / "export/latest-slim").exists()
    [chosen] = [one.value for one in load_report(
        model_dir / f"export/best-slim-report/{FIRST}.json").options if one.name == "checkpoint"]
    assert chosen == str(model_dir / "model.ckpt-1")
    capsys.readouterr()
    assert sync(model_dir, "--check", LIST) == exit_codes.DONE
    assert capsys.readouterr().out == ""


def test_an_exporter_that_is_named_gets_its_first(model_dir: Path) -> None:
    assert sync(model_dir, "latest", LIST) == exit_codes.DONE
    assert versions(model_dir / "export/latest-slim") == [FIRST, SECOND]


def test_that_the_newest_has_none_is_said_though_it_is_left_alone(model_dir: Path, capsys: Any) -> None:
    assert sync(model_dir, LIST) == exit_codes.DONE
    shutil.rmtree(model_dir / "export/best-slim" / SECOND)
    assert sync(model_dir, "--check", LIST) == exit_codes.FAILED
    assert "left alone: its twin was removed" in capsys.readouterr().out


def test_links_by_which_a_killed_process_held_an_original_go(model_dir: Path) -> None:
    originals = model_dir / "export/best"
    with temporary_folder(str(originals / FIRST)) as held:
        shutil.copytree(held, model_dir / "left")
    (model_dir / "left").rename(held)
    assert sync(model_dir, LIST) == exit_codes.DONE
    assert versions(originals) == [FIRST, SECOND]


@pytest.mark.parametrize("wrong", [["nowhere"], [".", "other"]])
def test_what_is_no_model_dir_or_exporter_is_a_wrong_call(
        model_dir: Path, capsys: Any, wrong: list, monkeypatch: Any) -> None:
    monkeypatch.chdir(model_dir)
    assert sync(*wrong) == exit_codes.WRONG_CALL
    assert "expected" in capsys.readouterr().err


@pytest.mark.parametrize("names", [[], ["best"]])
def test_slim_servables_in_the_place_of_originals_are_not_taken_for_these(
        model_dir: Path, capsys: Any, names: list[str]) -> None:
    (model_dir / "export").rename(model_dir / "export-original")
    shutil.copytree(model_dir / "export-original/best", model_dir / "export/best")
    assert sync(model_dir, *names) == exit_codes.WRONG_CALL
    assert "Give --slim_layout=replace" in capsys.readouterr().err
    assert sync(model_dir, *names, "--check", "--slim_layout=replace") == exit_codes.DONE
