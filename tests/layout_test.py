"""Where slim servables go: beside their originals, below another root, or in their place."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from absl.testing import flagsaver

from estimator_slim import OptimizingExporter, OptionError, TransformError, optimize_saved_model
from estimator_slim.layout import Layout, layout_of, slim_directory
from estimator_slim.saved_model import is_copy, is_marked
from tests.faults.exporting import Prepared, Then
from tests.support.failing import Failing
from tests.support.platforms import copied
from tests.support.training import LOSSLESS, contents, receiver_fn, train, versions

VERSIONS = [f"170000000{number}" for number in range(4)]


def export(exporter: OptimizingExporter, model_dir: Path, count: int = 1) -> list[Any]:
    """Calls an exporter as an evaluator does; returns what it returned."""
    return [exporter.export(estimator=None, export_path=str(model_dir / "export" / exporter.name),
                            checkpoint_path="", eval_result={}, is_the_final_export=False)
            for _ in range(count)]


def prepared(trained: str, names: Iterable[str] = VERSIONS, **options: Any) -> Prepared:
    return Prepared(trained, names, **options)


# ---- another root


@pytest.mark.parametrize("source, options, slim", [
    ("/m/export/best/7", {}, "/m/export/best-slim/7"),
    ("/m/export/best/7", {"root": "/served"}, "/served/best-slim/7"),
    ("gs://m/export/best/7", {}, "gs://m/export/best-slim/7"),
    ("gs://m/export/best/7", {"root": "/served"}, "/served/best-slim/7"),
    ("/m/export/best/7", {"root": "gs://served"}, "gs://served/best-slim/7")], ids=str)
def test_the_place_of_a_slim_servable_follows_from_its_original(
        source: str, options: dict, slim: str) -> None:
    assert slim_directory(source, "-slim", **options) == slim


def test_a_function_takes_a_root_for_what_has_no_destination(trained: str, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "best/7")
    optimize_saved_model(tmp_path / "best/7", transforms=LOSSLESS, root=tmp_path / "served")
    assert versions(tmp_path) == ["best", "served"]
    assert versions(tmp_path / "served") == ["best-slim", "best-slim-report"]
    optimize_saved_model(tmp_path / "best/7", tmp_path / "slim", LOSSLESS, root=tmp_path / "other")
    assert versions(tmp_path) == ["best", "served", "slim", "slim-report.html", "slim-report.json"]


def test_below_a_root_collection_is_mirrored(trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(prepared(trained, keep=2), [LOSSLESS, Failing(at=())],
                                  root=tmp_path / "served")
    export(exporter, tmp_path / "model", 3)
    assert versions(tmp_path / "model/export") == ["latest"]
    assert versions(tmp_path / "served/latest-slim") == VERSIONS[1:3]
    assert versions(tmp_path / "served/latest-slim-report") == sorted(
        f"{one}.{kind}" for one in VERSIONS[1:3] for kind in ("html", "json"))


@pytest.mark.parametrize("place", [None, "off"])
def test_what_another_model_has_below_the_same_root_stays(
        trained: str, tmp_path: Path, place: str | None) -> None:
    ours, theirs = VERSIONS[:3], ["1600000001", "1600000002"]
    for model, names in (("theirs", theirs), ("ours", ours)):
        export(OptimizingExporter(prepared(trained, names, keep=2), LOSSLESS, report=place,
                                  root=tmp_path / "served"), tmp_path / model, len(names))
    gone = ours[:1] if place is None else []  # without records nothing tells whose a version is
    left = sorted([*theirs, *(one for one in ours if one not in gone)])
    assert versions(tmp_path / "served/latest-slim") == left
    records = tmp_path / "served/latest-slim-report"
    assert versions(records) == (sorted(f"{one}.{kind}" for one in left for kind in ("html", "json"))
                                 if place is None else [])


def test_a_relative_root_is_below_the_working_directory(
        trained: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    export(OptimizingExporter(prepared(trained), LOSSLESS, root="./served/"), tmp_path / "model")
    assert os.listdir(tmp_path / "served/latest-slim") == VERSIONS[:1]


# ---- in the place of the original


def test_in_their_place_nothing_but_slim_servables_is_in_the_folder_of_exports(
        trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(prepared(trained, keep=2), LOSSLESS, layout="replace")
    returned = export(exporter, tmp_path, 3)
    assert returned == [str(tmp_path / "export/latest" / version) for version in VERSIONS[:3]]
    assert versions(tmp_path) == ["export", "export-original"]
    assert versions(tmp_path / "export") == ["latest"]
    assert versions(tmp_path / "export/latest") == VERSIONS[1:3]
    assert all(is_marked(path) for path in returned[1:])
    assert versions(tmp_path / "export-original") == ["latest", "latest-report"]
    assert versions(tmp_path / "export-original/latest") == VERSIONS[1:3]
    assert versions(tmp_path / "export-original/latest-report") == sorted(
        f"{one}.{kind}" for one in VERSIONS[1:3] for kind in ("html", "json"))
    assert contents(tmp_path / "export-original/latest" / VERSIONS[2]) == contents(trained)


def test_what_cannot_be_slimmed_is_there_as_a_copy_and_goes_with_its_original(
        trained: str, tmp_path: Path) -> None:
    Failing.runs.clear()
    exporter = OptimizingExporter(prepared(trained, keep=2), [LOSSLESS, Failing(at=(0, 1))],
                                  layout="replace", report="off")
    first, second = map(Path, export(exporter, tmp_path, 2))
    for copy in (first, second):
        added = {"assets.extra", "assets.extra/estimator_slim.txt"}
        assert {k: v for k, v in contents(copy).items() if k not in added} == contents(trained)
        assert f"copied {tmp_path}/export-original/latest/{copy.name}" in (
            copy / "assets.extra/estimator_slim.txt").read_text(encoding="utf-8")
    export(exporter, tmp_path)
    assert versions(tmp_path / "export/latest") == VERSIONS[1:3]
    assert is_marked(str(tmp_path / "export/latest" / VERSIONS[2]))


def test_what_is_to_end_the_training_ends_it_and_puts_nothing_in_its_place(
        trained: str, tmp_path: Path) -> None:
    Failing.runs.clear()
    exporter = OptimizingExporter(prepared(trained), [Failing()], layout="replace", on_error="raise")
    with pytest.raises(TransformError):
        export(exporter, tmp_path)
    assert versions(tmp_path) == ["export-original"]


def test_originals_of_before_stay_where_they_are(trained: str, tmp_path: Path, caplog: Any) -> None:
    export(OptimizingExporter(prepared(trained, VERSIONS[:1]), LOSSLESS), tmp_path)
    export(OptimizingExporter(prepared(trained, VERSIONS[1:]), LOSSLESS, layout="replace"), tmp_path)
    assert versions(tmp_path / "export/latest") == VERSIONS[:2]
    assert contents(tmp_path / "export/latest" / VERSIONS[0]) == contents(trained)
    assert f"{tmp_path}/export/latest/{VERSIONS[0]} has no original" in caplog.text


def test_an_exporter_that_is_off_replaces_nothing(trained: str, tmp_path: Path) -> None:
    off = OptimizingExporter(prepared(trained), layout="replace", enabled=False)
    assert export(off, tmp_path) == [str(tmp_path / "export/latest" / VERSIONS[0])]
    assert versions(tmp_path) == ["export"]


class AsBytes(Prepared):
    """Returns its path as Estimators do."""

    def export(self, *arguments: Any, **by_name: Any) -> Any:
        return os.fsencode(super().export(*arguments, **by_name))


def test_the_path_is_returned_as_the_wrapped_exporter_returns_its_own(
        trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(AsBytes(trained, VERSIONS), LOSSLESS, layout="replace")
    assert export(exporter, tmp_path) == [os.fsencode(tmp_path / "export/latest" / VERSIONS[0])]


def replacing(export_path: str) -> Layout:
    return layout_of(export_path, layout="replace", suffix="-slim", root=None, report=None)


def test_originals_go_beside_the_folder_of_exports_which_has_to_be_in_a_folder() -> None:
    with pytest.raises(OptionError, match="expected an export_path as model_dir/export/best"):
        replacing("/best")
    with pytest.raises(OptionError, match="expected an export_path as model_dir/export/best"):
        replacing("gs://bucket/best")
    layout = replacing("gs://bucket/export/best")
    assert layout.originals == "gs://bucket/export-original/best"
    assert layout.slim("gs://bucket/export-original/best/7") == "gs://bucket/export/best/7"


@pytest.mark.parametrize("chosen", [{"suffix": "-tiny"}, {"root": "/served"}], ids=str)
def test_a_replacing_layout_takes_neither_suffix_nor_root(chosen: dict) -> None:
    [name] = chosen
    message = f"layout and {name} exclude each other"
    with pytest.raises(OptionError, match=message):
        OptimizingExporter(prepared(""), layout="replace", **chosen)
    with flagsaver.flagsaver(slim_layout="replace"), pytest.raises(OptionError, match=message):
        OptimizingExporter(prepared(""), **chosen)
    with flagsaver.flagsaver(slim_layout="replace", **{f"slim_{one}": chosen[one] for one in chosen}):
        with pytest.raises(OptionError, match=message):
            OptimizingExporter(prepared(""))
        OptimizingExporter(prepared(""), layout="beside")
    with flagsaver.flagsaver(**{f"slim_{one}": chosen[one] for one in chosen}):
        OptimizingExporter(prepared(""), layout="replace")  # code wins over flags


def test_a_replacing_exporter_wraps_one_that_writes_beside_but_not_the_other_way_round(
        trained: str, tmp_path: Path) -> None:
    inner = OptimizingExporter(prepared(trained), LOSSLESS)
    export(OptimizingExporter(inner, "remove_device", layout="replace"), tmp_path)
    assert versions(tmp_path / "export-original") == ["latest", "latest-report", "latest-slim",
                                                      "latest-slim-report"]
    assert versions(tmp_path / "export") == ["latest"]
    inner = OptimizingExporter(prepared(trained), layout="replace")
    with pytest.raises(OptionError, match="give the inner one layout='beside'"):
        OptimizingExporter(inner, suffix="-other")


def test_best_exports_are_collected_and_replaced_as_ever(tmp_path: Path) -> None:
    best = tf.estimator.BestExporter("best", receiver_fn, exports_to_keep=1)
    latest = tf.estimator.LatestExporter("latest", receiver_fn, exports_to_keep=1)
    train(tmp_path, [OptimizingExporter(one, LOSSLESS, layout="replace") for one in (best, latest)])
    assert versions(tmp_path / "export") == ["best", "latest"]
    for name in ("best", "latest"):
        [version] = versions(tmp_path / "export" / name)
        assert versions(tmp_path / "export-original" / name) == [version]
        assert is_marked(str(tmp_path / "export" / name / version))


@pytest.mark.parametrize("transforms, there", [
    (LOSSLESS, is_marked), ([Failing(at=tuple(range(9)))], is_copy)], ids=["slim", "copy"])
def test_beside_the_evaluation_it_is_in_its_place_when_the_final_export_returns(
        tmp_path: Path, transforms: Any, there: Callable[[str], bool]) -> None:
    returned: list[tuple[str, bool]] = []
    best = tf.estimator.BestExporter("best", receiver_fn, exports_to_keep=1,
                                     compare_fn=lambda best_eval_result, current_eval_result: True)
    exporter = OptimizingExporter(best, transforms, layout="replace", background=True)
    train(tmp_path, [Then(exporter, lambda path: returned.append((str(path), there(str(path)))))])
    assert [os.path.dirname(path) for path, _ in returned] == 2 * [str(tmp_path / "export/best")]
    last, is_there = returned[-1]
    assert is_there
    assert versions(tmp_path / "export") == ["best"]
    assert versions(tmp_path / "export/best") == [os.path.basename(last)]
    assert versions(tmp_path / "export-original/best") == [os.path.basename(last)]


def test_beside_the_evaluation_nothing_is_put_in_its_place_where_the_training_is_to_end(
        trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(prepared(trained), [Failing(at=tuple(range(9)))], layout="replace",
                                  on_error="raise", background=True)
    with pytest.raises(TransformError):
        exporter.export(None, str(tmp_path / "export/latest"), "", {}, True)
    assert versions(tmp_path) == ["export-original"]


def test_a_version_whose_process_was_killed_is_made_up_for_in_its_place(
        trained: str, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "export-original/latest" / VERSIONS[0])
    export(OptimizingExporter(prepared(trained, VERSIONS[1:]), LOSSLESS, layout="replace"), tmp_path)
    assert versions(tmp_path / "export/latest") == VERSIONS[:2]
    assert all(is_marked(str(tmp_path / "export/latest" / version)) for version in VERSIONS[:2])


# ---- object stores


class InStore(Prepared):
    """Exports into whatever file system the export_path is on."""

    def export(self, estimator: Any, export_path: str, *_: Any, **by_name: Any) -> str:
        target = os.path.join(export_path, next(self.versions))
        copied(str(self.servable), target)
        self.written.append(target)
        for old in self.written[:-self.keep]:
            if tf.io.gfile.exists(old):
                tf.io.gfile.rmtree(old)
        return target


@pytest.fixture
def moved(monkeypatch: Any) -> list[str]:
    """The files that a store was told to move to their places in folders of versions, in order."""
    rename, targets = tf.io.gfile.rename, []

    def noting(source: str, target: str, **by_name: Any) -> None:
        if target.startswith("ram://") and not target.endswith((".json", ".html")):
            targets.append(target)
        rename(source, target, **by_name)
    monkeypatch.setattr(tf.io.gfile, "rename", noting)
    return targets


def stored(folder: str) -> list[str]:
    """The names in a folder; `ram://` also lists the rest of names that begin like the folder's."""
    return sorted(name for name in tf.io.gfile.listdir(folder) if not name.startswith("-"))


@pytest.mark.parametrize("fails", [(), (0, 1)], ids=["slim", "copies"])
def test_in_a_store_a_version_is_in_its_place_when_its_last_file_is(
        trained: str, moved: list, fails: tuple) -> None:
    Failing.runs.clear()
    model_dir = f"ram://{uuid.uuid4().hex}"
    exporter = OptimizingExporter(InStore(trained, VERSIONS, keep=1), [LOSSLESS, Failing(at=fails)],
                                  layout="replace")
    for version in VERSIONS[:2]:
        returned = exporter.export(None, f"{model_dir}/export/latest", "", {}, False)
        assert returned == f"{model_dir}/export/latest/{version}"
        assert moved[-1] == f"{returned}/saved_model.pb"
        assert [one for one in moved if one.endswith(".pb")][-1:] == moved[-1:]
        assert (is_copy if fails else is_marked)(returned)
    assert stored(model_dir) == ["export", "export-original"]
    assert stored(f"{model_dir}/export") == ["latest"]
    assert stored(f"{model_dir}/export/latest") == [VERSIONS[1]]


def test_a_root_may_be_in_a_store_and_the_originals_on_a_disk(
        trained: str, tmp_path: Path, moved: list) -> None:
    root = f"ram://{uuid.uuid4().hex}/served"
    exporter = OptimizingExporter(prepared(trained, keep=1), LOSSLESS, root=root)
    export(exporter, tmp_path, 2)
    assert stored(f"{root}/latest-slim") == [VERSIONS[1]]
    assert moved[-1] == f"{root}/latest-slim/{VERSIONS[1]}/saved_model.pb"
    assert versions(tmp_path) == ["export"]
