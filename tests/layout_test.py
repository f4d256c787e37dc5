"""Where slim servables go: beside their originals, below another root, or in their place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from estimator_slim import OptimizingExporter, optimize_saved_model
from estimator_slim.layout import slim_directory
from tests.faults.exporting import Prepared
from tests.support.failing import Failing
from tests.support.training import LOSSLESS, versions

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
