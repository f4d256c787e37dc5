"""A slim twin that is missing is made up for; what wrapped exporters return is taken as it is meant."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import tensorflow as tf

from estimator_slim import OptimizingExporter, OptionError, load_report, optimize_saved_model
from estimator_slim.graph.graph import Graph
from estimator_slim.record_files import announced
from estimator_slim.report import Report
from estimator_slim.saved_model import temporary_folder
from estimator_slim.transforms.base import Transform
from tests.faults.exporting import Prepared
from tests.support.failing import Failing
from tests.support.training import LOSSLESS, contents, versions

FIRST, SECOND, THIRD = "1700000001", "1700000002", "1700000003"


@pytest.fixture(autouse=True)
def fresh_count() -> None:
    Failing.runs.clear()


class Exporting(tf.estimator.Exporter):
    """Writes a servable under each of some names in turn, then nothing; returns what it is told to."""

    name = "latest"

    def __init__(self, servable: str, names: Iterable[str] = (), returning: Any = os.fsdecode) -> None:
        self.servable, self.names, self.returning = servable, list(names), returning

    def export(self, estimator: Any, export_path: str, checkpoint_path: str, eval_result: Any,
               is_the_final_export: bool) -> Any:
        if not self.names:
            return None
        target = os.path.join(export_path, self.names.pop(0))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.servable, target)
        return self.returning(target)


def export(exporter: OptimizingExporter, folder: Path, checkpoint: str = "", *,
           is_last: bool = False) -> Any:
    return exporter.export(None, str(folder / "latest"), checkpoint, {}, is_the_final_export=is_last)


def slims(folder: Path) -> list[str]:
    return versions(folder / "latest-slim")


def originals(trained: str, folder: Path, *names: str) -> None:
    for name in names:
        shutil.copytree(trained, folder / "latest" / name)


def record(folder: Path, version: str) -> Report:
    return load_report(folder / "latest-slim-report" / f"{version}.json")


@pytest.mark.parametrize("background", [False, True])
def test_what_failed_for_a_passing_reason_is_made_up_for_though_nothing_is_exported(
        trained: str, tmp_path: Path, caplog: Any, background: bool) -> None:
    exporter = OptimizingExporter(Exporting(trained, [FIRST]), LOSSLESS, background=background)
    obstacle = tmp_path / "latest-slim"
    obstacle.write_text("in the way")
    for _ in range(2):
        export(exporter, tmp_path, is_last=True)
    assert caplog.text.count("training goes on") == 1
    assert f"still no slim servable of {tmp_path}/latest/{FIRST}" in caplog.text
    assert record(tmp_path, FIRST).error.passing
    obstacle.unlink()
    assert export(exporter, tmp_path, is_last=True) is None
    assert slims(tmp_path) == [FIRST]
    assert record(tmp_path, FIRST).outcome == "published"


def test_each_call_makes_up_for_one_version_the_newest_first(trained: str, tmp_path: Path) -> None:
    originals(trained, tmp_path, "9", "10", FIRST)
    (tmp_path / "latest" / THIRD).mkdir()  # is no servable
    exporter = OptimizingExporter(Exporting(trained, [SECOND]), LOSSLESS)
    made = []
    for _ in range(4):
        export(exporter, tmp_path)
        made.append(slims(tmp_path))
    assert made == [[FIRST, SECOND], ["10", FIRST, SECOND], *2 * [["10", FIRST, SECOND, "9"]]]


@dataclass(frozen=True)
class Meanwhile(Transform):
    """As it runs, something is written to `slim`: a slim servable of `source`, or its copy."""

    text_name: ClassVar[str] = "meanwhile"
    source: str = ""
    slim: str = ""
    copied: bool = False

    def rewrite(self, graph: Graph) -> None:
        if self.copied:
            shutil.copytree(self.source, self.slim)
        else:
            optimize_saved_model(self.source, self.slim, "strip_unused_nodes")


@pytest.mark.parametrize("there, names", [(False, [FIRST]), (True, [])], ids=["exported", "made up for"])
def test_a_twin_that_another_process_writes_meanwhile_is_no_failure(
        trained: str, tmp_path: Path, caplog: Any, there: bool, names: list) -> None:
    if there:
        originals(trained, tmp_path, FIRST)
    slim = str(tmp_path / "latest-slim" / FIRST)
    meanwhile = Meanwhile(source=str(tmp_path / "latest" / FIRST), slim=slim)
    with caplog.at_level("INFO", "absl"):
        export(OptimizingExporter(Exporting(trained, names), [meanwhile]), tmp_path)
    assert f"another process has written {slim} meanwhile" in caplog.text
    assert "training goes on" not in caplog.text
    assert slims(tmp_path) == [FIRST]
    assert record(tmp_path, FIRST).outcome == "published"


def test_what_somebody_else_writes_there_meanwhile_is_one_and_stays(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    slim = tmp_path / "latest-slim" / FIRST
    meanwhile = Meanwhile(source=trained, slim=str(slim), copied=True)
    export(OptimizingExporter(Exporting(trained, [FIRST]), [meanwhile]), tmp_path)
    assert f"{slim} exists already" in caplog.text and "training goes on" in caplog.text
    assert contents(slim) == contents(Path(trained))


@pytest.mark.parametrize("place", [None, "off"])
def test_what_failed_for_good_is_not_tried_again_with_the_same_options(
        trained: str, tmp_path: Path, place: Any) -> None:
    exporter = OptimizingExporter(Exporting(trained, [FIRST]), [Failing()], report=place)
    for _ in range(3):
        export(exporter, tmp_path)
    assert len(Failing.runs) == 1


def test_after_a_restart_the_record_says_what_not_to_try_until_the_options_are_others(
        trained: str, tmp_path: Path) -> None:
    export(OptimizingExporter(Exporting(trained, [FIRST]), [Failing(at=(0, 1))]), tmp_path)
    export(OptimizingExporter(Exporting(trained), [Failing(at=(0, 1))], on_error="raise"), tmp_path)
    assert len(Failing.runs) == 1
    export(OptimizingExporter(Exporting(trained), LOSSLESS), tmp_path)
    assert slims(tmp_path) == [FIRST]


@pytest.mark.parametrize("killed, made", [(1, [FIRST]), (2, [FIRST]), (3, [])])
def test_what_three_processes_in_a_row_did_not_outlive_is_left_alone(
        trained: str, tmp_path: Path, killed: int, made: list) -> None:
    originals(trained, tmp_path, FIRST)
    slim = str(tmp_path / "latest-slim" / FIRST)
    with contextlib.ExitStack() as living:  # what each wrote while it lived stays for the next
        for number in range(killed):
            living.enter_context(announced(
                Report(str(tmp_path / "latest" / FIRST), slim, interrupted=number), None))
        export(OptimizingExporter(Exporting(trained), LOSSLESS), tmp_path)
    assert slims(tmp_path) == made


def test_a_twin_that_somebody_removed_stays_removed(trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(Exporting(trained, [FIRST]), LOSSLESS)
    export(exporter, tmp_path)
    shutil.rmtree(tmp_path / "latest-slim" / FIRST)
    export(exporter, tmp_path)
    assert slims(tmp_path) == []
    (tmp_path / "latest-slim-report" / f"{FIRST}.json").unlink()
    export(exporter, tmp_path)
    assert slims(tmp_path) == [FIRST]


def test_what_another_process_is_writing_is_left_to_it(trained: str, tmp_path: Path) -> None:
    originals(trained, tmp_path, FIRST)
    (tmp_path / "latest-slim").mkdir()
    exporter = OptimizingExporter(Exporting(trained), LOSSLESS)
    with temporary_folder(str(tmp_path / "latest-slim" / FIRST)):
        export(exporter, tmp_path)
        assert FIRST not in slims(tmp_path)
    export(exporter, tmp_path)
    assert slims(tmp_path) == [FIRST]


def test_a_missing_twin_is_made_with_its_own_checkpoint_while_that_is_there(
        trained: str, tmp_path: Path) -> None:
    model_dir = Path(trained).parents[1] / "model"  # of one step
    for name in ("index", "data-00000-of-00001", "meta"):
        for step in (1, 2):
            shutil.copy(model_dir / f"model.ckpt-1.{name}", tmp_path / f"model.ckpt-{step}.{name}")
    chosen = []
    for version in (FIRST, SECOND):
        originals(trained, tmp_path, version)
        exporter = OptimizingExporter(Exporting(trained), LOSSLESS)
        export(exporter, tmp_path, str(tmp_path / "model.ckpt-2"))
        chosen += [one.value for one in record(tmp_path, version).options if one.name == "checkpoint"]
        (tmp_path / "model.ckpt-1.index").unlink(missing_ok=True)
    assert chosen == [str(tmp_path / "model.ckpt-1"), None]


def test_a_new_version_of_an_exporter_that_returns_none_gets_its_twin_with_a_warning(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    originals(trained, tmp_path, FIRST)
    exporter = OptimizingExporter(Exporting(trained, [SECOND], lambda path: None), LOSSLESS)
    assert export(exporter, tmp_path) is None
    assert slims(tmp_path) == [FIRST, SECOND]
    assert f"returned None, yet {tmp_path}/latest/{SECOND} is new" in caplog.text
    caplog.clear()
    export(exporter, tmp_path)
    assert "returned None" not in caplog.text


@pytest.mark.parametrize("returning", [lambda path: [path], lambda path: (path, {}),
                                       lambda path: {"best": path}], ids=["list", "tuple", "dict"])
def test_what_is_no_path_is_an_error_that_says_what_to_return(
        trained: str, tmp_path: Path, caplog: Any, returning: Any) -> None:
    name = type(returning("")).__name__
    exporter = OptimizingExporter(Exporting(trained, [FIRST], returning), LOSSLESS)
    assert isinstance(export(exporter, tmp_path), type(returning("")))
    said = f"the exporter 'latest' returned a {name}, .*latest/{FIRST}.*; expected the path"
    assert caplog.text and slims(tmp_path) == [FIRST]
    with pytest.raises(OptionError, match=said):
        export(OptimizingExporter(Exporting(trained, [FIRST], returning), LOSSLESS, on_error="raise"),
               tmp_path)


@pytest.mark.parametrize("name", ["current", "1"])
def test_the_twin_of_one_fixed_folder_follows_what_is_written_into_it(
        trained: str, trained_with_extras: str, tmp_path: Path, name: str) -> None:
    wrapped = Exporting(trained, [name])
    exporter = OptimizingExporter(wrapped, LOSSLESS, on_error="raise")
    export(exporter, tmp_path)
    before = (tmp_path / "latest-slim" / name).stat().st_ino
    wrapped.names = [name]
    export(exporter, tmp_path)  # the same again
    assert (tmp_path / "latest-slim" / name).stat().st_ino == before
    wrapped.names, wrapped.servable = [name], trained_with_extras
    export(exporter, tmp_path)
    assert "assets.extra/notes/of/mine.txt" in contents(tmp_path / "latest-slim" / name)
    assert slims(tmp_path) == {
        "current": ["current", "current-report.html", "current-report.json"], "1": ["1"]}[name]


def test_the_twin_of_what_is_no_longer_in_a_fixed_folder_does_not_stay(
        trained: str, trained_with_extras: str, tmp_path: Path) -> None:
    export(OptimizingExporter(Exporting(trained, ["1"]), LOSSLESS), tmp_path)
    export(OptimizingExporter(Exporting(trained_with_extras, ["1"]), [Failing()]), tmp_path)
    assert slims(tmp_path) == []
    assert record(tmp_path, "1").outcome == "failed"


def test_it_looks_for_what_is_missing_where_the_wrapped_exporter_writes(
        trained: str, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "elsewhere" / FIRST)

    class Elsewhere(Prepared):
        def export(self, estimator: Any, export_path: str, *arguments: Any, **by_name: Any) -> str:
            return super().export(estimator, str(tmp_path / "elsewhere"), *arguments, **by_name)

    export(OptimizingExporter(Elsewhere(trained, [SECOND]), LOSSLESS), tmp_path)
    assert versions(tmp_path / "elsewhere-slim") == [FIRST, SECOND]
