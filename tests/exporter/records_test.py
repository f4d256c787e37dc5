"""Every export leaves a record, published, refused or failed; it goes with its version."""

from __future__ import annotations

import dataclasses
import json
import logging
import resource
from pathlib import Path
from typing import Any

import pytest
from absl.testing import flagsaver

from estimator_slim import (
    OptimizingExporter,
    OptionError,
    TransformError,
    VerificationError,
    load_report,
    optimize_saved_model,
)
from estimator_slim.record_files import keep
from tests.faults.exporting import Prepared
from tests.report.document_test import DOCUMENTS
from tests.support.failing import Failing
from tests.support.training import LOSSLESS, contents, versions

REPORTS = "latest-slim-report"


@pytest.fixture(autouse=True)
def fresh_count() -> None:
    Failing.runs.clear()


def export_all(exporter: OptimizingExporter, folder: Path, count: int = 1) -> None:
    for _ in range(count):
        exporter.export(estimator=None, export_path=str(folder / exporter.name),
                        checkpoint_path="", eval_result={}, is_the_final_export=False)


def records(folder: Path) -> list[str]:
    """The versions that have a record there, each with its page, and nothing else is there."""
    names = versions(folder)
    assert names == sorted(f"{name[:-5]}.{kind}" for name in names if name.endswith(".json")
                           for kind in ("html", "json"))
    return [name[:-5] for name in names if name.endswith(".json")]


def test_a_published_version_has_its_record_beside_the_folder_of_slim_servables(
        trained: str, tmp_path: Path) -> None:
    export_all(OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS), tmp_path)
    assert versions(tmp_path) == ["latest", "latest-slim", REPORTS]
    report = load_report(tmp_path / REPORTS / "1700000001.json")
    assert (report.outcome, report.error) == ("published", None)
    assert report.source == str(tmp_path / "latest/1700000001")
    assert report.destination == str(tmp_path / "latest-slim/1700000001")
    assert " ".join(step.transform for step in report.steps) == LOSSLESS
    assert report.seconds > 0


def test_the_record_is_the_report_that_the_function_returns(trained: str, tmp_path: Path) -> None:
    report = optimize_saved_model(trained, tmp_path / "slim/1", "quantize_weights(minimum_size=1)")
    assert load_report(tmp_path / "slim-report/1.json") == report
    report = optimize_saved_model(trained, tmp_path / "other", LOSSLESS)
    assert load_report(tmp_path / "other-report.json") == report


def test_no_record_lies_in_a_slim_servable_and_none_changes_its_bytes(
        trained: str, tmp_path: Path) -> None:
    for name, place in (("with", None), ("without", "off")):
        optimize_saved_model(trained, tmp_path / name / "1", report=place)
    assert contents(tmp_path / "with/1") == contents(tmp_path / "without/1")
    assert versions(tmp_path) == ["with", "with-report", "without"]


def test_a_failed_export_leaves_a_record_of_what_failed(trained: str, tmp_path: Path) -> None:
    export_all(OptimizingExporter(Prepared(trained, ["1700000001"]), [Failing()]), tmp_path)
    report = load_report(tmp_path / REPORTS / "1700000001.json")
    assert (report.outcome, report.error.type) == ("failed", "TransformError")
    assert "transform failing failed (after nothing): RuntimeError: the fuse is lit" in str(report)
    assert [one.name for one in report.phases][-1] == "transform"
    assert not (tmp_path / "latest-slim/1700000001").exists()


def test_a_failure_that_ends_the_training_leaves_a_record_too(trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(Prepared(trained, ["1700000001"]), [Failing()], on_error="raise")
    with pytest.raises(TransformError):
        export_all(exporter, tmp_path)
    assert load_report(tmp_path / REPORTS / "1700000001.json").outcome == "failed"


def test_what_is_no_servable_leaves_a_record(tmp_path: Path) -> None:
    (tmp_path / "note").mkdir()
    export_all(OptimizingExporter(Prepared(str(tmp_path / "note"), ["1700000001"])), tmp_path)
    assert load_report(tmp_path / REPORTS / "1700000001.json").error.type == "SourceError"


def test_an_option_that_is_wrong_by_the_time_of_the_export_leaves_a_record(
        trained: str, tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    examples.write_bytes(b"there when the exporter is built")
    exporter = OptimizingExporter(Prepared(trained, ["1700000001"]), verify_examples=examples)
    examples.unlink()
    export_all(exporter, tmp_path)
    report = load_report(tmp_path / REPORTS / "1700000001.json")
    assert report.error.type == "OptionError"
    assert "verify_examples: expected a TFRecord file" in report.error.message


def test_a_refused_export_leaves_a_record_with_what_was_found(trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(
        Prepared(trained, ["1700000001"]), "quantize_weights(bits=4, minimum_size=1)", verify="enforce",
        max_error=0, fallback=False)
    export_all(exporter, tmp_path)
    report = load_report(tmp_path / REPORTS / "1700000001.json")
    assert (report.outcome, report.error.type) == ("refused", "VerificationError")
    assert not report.verification.passed
    assert [one.verdict for one in report.tried] == ["failed"]
    assert not (tmp_path / "latest-slim/1700000001").exists()


def test_records_go_with_their_versions_those_of_failures_too(trained: str, tmp_path: Path) -> None:
    names = [f"170000000{number}" for number in range(4)]
    exporter = OptimizingExporter(Prepared(trained, names, keep=2), [LOSSLESS, Failing(at=(0, 2))])
    export_all(exporter, tmp_path, 3)
    assert records(tmp_path / REPORTS) == ["1700000001", "1700000002"]
    (tmp_path / REPORTS / "1700000001.txt").write_text("a note on it")
    export_all(exporter, tmp_path)
    assert records(tmp_path / REPORTS) == ["1700000002", "1700000003"]
    assert versions(tmp_path / "latest-slim") == ["1700000003"]


def test_what_is_no_record_of_a_version_here_is_never_removed(trained: str, tmp_path: Path) -> None:
    folder = tmp_path / REPORTS
    folder.mkdir()
    for name in ("README", "notes.json", "1600000000.json", "1600000001.txt"):
        (folder / name).write_text("{}")
    optimize_saved_model(trained, tmp_path / "elsewhere/1600000002", LOSSLESS, report=tmp_path)
    (tmp_path / "elsewhere-report/1600000002.json").rename(folder / "1600000002.json")
    before = versions(folder)
    export_all(OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS), tmp_path)
    assert versions(folder) == sorted([*before, "1700000001.html", "1700000001.json"])


def test_a_folder_for_records_is_used_and_cleaned(trained: str, tmp_path: Path) -> None:
    prepared = Prepared(trained, ["1700000001", "1700000002"], keep=1)
    export_all(OptimizingExporter(prepared, LOSSLESS, report=tmp_path / "records"), tmp_path, 2)
    assert versions(tmp_path) == ["latest", "latest-slim", "records"]
    assert records(tmp_path / "records" / REPORTS) == ["1700000002"]


def test_off_keeps_no_record_by_argument_or_flag(trained: str, tmp_path: Path) -> None:
    export_all(OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS, report="off"), tmp_path)
    with flagsaver.flagsaver(slim_report="off"):
        export_all(OptimizingExporter(Prepared(trained, ["1700000002"]), LOSSLESS), tmp_path)
    assert versions(tmp_path) == ["latest", "latest-slim"]


def test_a_place_where_nothing_can_be_written_costs_the_record_alone(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    (tmp_path / REPORTS).write_text("in the way")
    export_all(OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS), tmp_path)
    assert versions(tmp_path / "latest-slim") == ["1700000001"]
    [line] = [record.getMessage() for record in caplog.records
              if record.levelno >= logging.WARNING and record.name == "absl"]
    assert f"the record {tmp_path / REPORTS}/1700000001.json cannot be written" in line
    assert "give another folder for it (report='...'), or report='off'" in line


def test_a_record_for_which_the_disk_has_no_room_leaves_no_part_of_it(tmp_path: Path) -> None:
    report = dataclasses.replace(load_report(DOCUMENTS / "published.json"),
                                 destination=str(tmp_path / "slim/7"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        keep(report, None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "slim-report").iterdir()) == []


def test_the_record_of_what_is_published_stays_when_it_is_tried_again_in_vain(
        trained: str, tmp_path: Path) -> None:
    export_all(OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS), tmp_path)
    (tmp_path / "latest").rename(tmp_path / "moved")
    export_all(OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS), tmp_path)
    assert load_report(tmp_path / REPORTS / "1700000001.json").outcome == "published"


def test_an_error_that_the_caller_gets_leaves_a_record_only_where_a_folder_was_given(
        trained: str, tmp_path: Path) -> None:
    for place in (None, tmp_path / "records"):
        with pytest.raises(VerificationError):
            optimize_saved_model(trained, tmp_path / "slim/1", "quantize_weights(minimum_size=1)",
                                 verify="enforce", max_error=0, fallback=False, report=place)
        assert versions(tmp_path) == (["records"] if place else [])
    assert load_report(tmp_path / "records/slim-report/1.json").outcome == "refused"


def test_a_failure_that_is_only_logged_leaves_a_record(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert optimize_saved_model(missing, tmp_path / "slim", on_error="keep_original") is None
    assert load_report(tmp_path / "slim-report.json").error.type == "SourceError"


def test_a_record_tells_nothing_that_is_no_plain_data(trained: str, tmp_path: Path) -> None:
    optimize_saved_model(trained, tmp_path / "slim", [Failing(at=())], verify_input_fn=Failing)
    document = json.loads((tmp_path / "slim-report.json").read_text(encoding="utf-8"))
    chosen = {one["name"]: one["value"] for one in document["options"]}
    assert chosen["transforms"] == "failing"
    assert chosen["verify_input_fn"].endswith("tests.support.failing.Failing")


@pytest.mark.parametrize("wrong", [7, "", True])
def test_a_place_that_is_no_path_is_an_error_at_construction(wrong: Any) -> None:
    with pytest.raises(OptionError, match="report: expected a (folder|path)"):
        OptimizingExporter(Prepared("", []), report=wrong)
