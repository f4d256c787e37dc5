"""Records lie where no platform takes them for a model, or counts them as a version of one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from estimator_slim import OptimizingExporter
from estimator_slim.record_files import record_path
from tests.faults.exporting import Prepared
from tests.support.platforms import (
    model_of_tfx,
    models_of_sagemaker,
    versions_of_tensorflow_serving,
)
from tests.support.training import LOSSLESS

VERSIONS = ["1700000001", "1700000002"]


@pytest.mark.parametrize("destination, place, path", [
    ("/m/export/best-slim/1700000000", None, "/m/export/best-slim-report/1700000000.json"),
    ("/m/export/best-slim/1700000000", "/records", "/records/best-slim-report/1700000000.json"),
    ("/m/export/best-slim/1700000000", Path("/records"), "/records/best-slim-report/1700000000.json"),
    ("/m/export/best-slim/1700000000", "off", None), ("/m/slim", "off", None),
    ("/m/slim", None, "/m/slim-report.json"), ("/m/slim", "/records", "/records/slim-report.json"),
    ("/m/7", None, "/m/7-report.json"), ("/7", None, "/7-report.json"),
    ("gs://bucket/m/best-slim/7", None, "gs://bucket/m/best-slim-report/7.json"),
    ("gs://bucket/best-slim/7", None, "gs://bucket/best-slim-report/7.json"),
    ("gs://bucket/7", None, "gs://bucket/7-report.json"),
    ("/m/best-slim/7", "gs://bucket/records", "gs://bucket/records/best-slim-report/7.json")], ids=str)
def test_the_place_of_a_record_follows_from_the_destination_and_the_option(
        destination: str, place: Any, path: str | None) -> None:
    assert record_path(destination, place) == path


def test_a_relative_destination_has_its_record_in_the_same_place(
        tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert record_path("best-slim/7", None) == str(tmp_path / "best-slim-report/7.json")
    assert record_path("slim", None) == str(tmp_path / "slim-report.json")


@pytest.fixture(scope="module")
def export(tmp_path_factory: Any, trained: str) -> Path:
    """`<model_dir>/export` of two exports, with everything at its default place."""
    folder = tmp_path_factory.mktemp("model") / "export"
    exporter = OptimizingExporter(Prepared(trained, VERSIONS), LOSSLESS)
    for _ in VERSIONS:
        exporter.export(None, str(folder / "latest"), "", {}, False)
    assert sorted(os.listdir(folder)) == ["latest", "latest-slim", "latest-slim-report"]
    assert sorted(os.listdir(folder / "latest-slim-report")) == sorted(
        f"{one}.{kind}" for one in VERSIONS for kind in ("html", "json"))
    return folder


def test_tensorflow_serving_finds_the_versions_of_both_and_none_in_the_records(export: Path) -> None:
    for name in ("latest", "latest-slim"):
        assert versions_of_tensorflow_serving(export / name) == set(map(int, VERSIONS))
    assert versions_of_tensorflow_serving(export / "latest-slim-report") == set()


def test_a_record_beside_a_version_is_no_version() -> None:
    for path in ("/7", "gs://bucket/7", "/m/slim"):
        assert not re.fullmatch(r"\s*[+-]?\d+\s*", os.path.basename(str(record_path(path, None))))


def test_sagemaker_finds_no_model_in_the_records(export: Path) -> None:
    assert models_of_sagemaker(export) == {"latest", "latest-slim"}


def test_tfx_which_takes_the_only_folder_refuses_a_twin_beside_its_original_with_or_without_a_record(
        trained: str, tmp_path: Path) -> None:
    """So for TFX both the slim servables and the records have to lie elsewhere."""
    for name, place in (("without", "off"), ("with", None)):
        exporter = OptimizingExporter(Prepared(trained, ["1"]), LOSSLESS, report=place)
        exporter.export(None, str(tmp_path / name / "export/latest"), "", {}, False)
        with pytest.raises(RuntimeError, match="Only one file per dir"):
            model_of_tfx(str(tmp_path / name))
