"""A record is read as it was written, by this version and by every later one."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from estimator_slim import Report, load_report
from estimator_slim.errors import RecordError
from estimator_slim.report import (
    SCHEMA,
    Asked,
    Chosen,
    Failure,
    OutputResult,
    Part,
    Phase,
    Problem,
    Step,
    Treatment,
    Tried,
    Verification,
    from_json,
    to_json,
)
from estimator_slim.report.document import MIGRATIONS, PARTS
from tests.report.described import CLASSES, MARK, PAGE, described

DOCUMENTS = Path(__file__).with_name("documents")
FOUND = Verification(
    (OutputResult("predict", "NaN", "float32", 9, largest_error=math.inf, snr=-math.inf,
                  examples=Part(9, error=0.5)),),
    (Failure("predict", "NaN", "it is off", (("max_error", 0.063),)),), 3, 1, ("a sentence",), 4,
    ("another",), 9, 0, 0.05, 0.99, (Asked("predict", "input_fn", False, 4, 9),))
FULL = Report(
    "/models/ü/1", "/models/ü-slim/1", ["NaN"], 1000, 250, 9, 7, 1.5,
    [Step("quantize_weights", 0.5, 9, 7, [("node", "a reason")],
          [Treatment("table", (3, 2), "float32", 24, 10, "table", "int8", 8, 1, False, 3, 2, 0.01,
                     (0.0, math.inf), {"spectrum": (1.0, 0.5), "kept": "all", "share": math.inf})],
          10, 8, 12)],
    FOUND, [Tried("as asked", "quantize_weights", 250, 0.5, FOUND, "failed")], "refused",
    Problem("VerificationError", "it is off", True), ["serve"], "2026-11-27T21:00:00Z", 12, 13,
    [Phase("write", 0, 0.1, 12, 0, 9, 7, 10, 8)], [Chosen("suffix", "NaN", "code")], {"numpy": "1.26.4"},
    "0a1b", 1)


def test_everything_comes_back_as_it_was() -> None:
    assert from_json(to_json(FULL)) == FULL
    assert all(getattr(FULL, field.name) for field in dataclasses.fields(FULL))


def test_a_document_is_json_by_the_book() -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)
    document = json.loads(to_json(FULL), parse_constant=refuse)
    assert document["schema"] == SCHEMA
    assert "ü" in to_json(FULL)


def test_numbers_and_arrays_of_numpy_are_plain_in_a_document() -> None:
    facts = {"spectrum": np.array([1.0, 0.5]), "share": np.float32(0.25), "kept": np.int64(3)}
    step = Step("reduce", 0.5, 9, 7, [], [Treatment("table", (3, 2), "float32", 24, 10, facts=facts)])
    read = from_json(to_json(Report("a", "b", steps=[step]))).steps[0].treated[0].facts
    assert read == {"spectrum": (1.0, 0.5), "share": 0.25, "kept": 3}


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text(to_json(FULL), encoding="utf-8")
    assert load_report(tmp_path / "1.json") == load_report(str(tmp_path / "1.json")) == FULL


def test_what_a_later_version_adds_is_passed_over() -> None:
    document = json.loads(to_json(FULL))
    document["weather"] = document["steps"][0]["weather"] = "fine"
    assert from_json(json.dumps(document)) == FULL


def test_a_newer_schema_is_an_error_that_says_what_to_do() -> None:
    document = {**json.loads(to_json(FULL)), "schema": SCHEMA + 1}
    with pytest.raises(RecordError, match=f"schema {SCHEMA + 1}.*reads up to {SCHEMA}: update"):
        from_json(json.dumps(document))


@pytest.mark.parametrize("text", [
    "", "{", "[]", "7", '{"schema": "new"}', '{"schema": 1}', '{"schema": 1, "source": 1, "steps": 7}',
    "{}", '{"schema": 1, "source": "a", "destination": "b", "steps": [{}]}', b"\xff"], ids=repr)
def test_what_is_no_record_is_an_error_with_its_path(text: Any, tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RecordError, match=r"1\.json: (no|a damaged) record: expected"):
        load_report(path)


def test_a_file_that_is_not_there_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="missing.json: .*No such file"):
        load_report(tmp_path / "missing.json")


def test_every_older_version_has_a_document_and_a_way_to_this_one() -> None:
    assert sorted(MIGRATIONS) == list(range(SCHEMA))
    for version in MIGRATIONS:
        document = json.loads((DOCUMENTS / f"version_{version}.json").read_text(encoding="utf-8"))
        assert document.get("schema", 0) == version


def test_what_version_0_1_0_found_is_read() -> None:
    report = load_report(DOCUMENTS / "version_0.json")
    assert str(report) == "204.0 kB → 22.7 kB (1/9.0), same answer on 94.52 % of 73 rows"
    assert [step.transform for step in report.steps] == [
        "strip_unused_nodes", "fold_constants", "quantize_weights(bits=4)"]
    assert report.verification is not None and report.verification.outputs[1].dtype == "int64"
    [tried] = report.tried
    assert (tried.verdict, tried.byte_count, report.outcome) == ("passed", 22700, "published")


def test_every_class_of_a_record_is_known_to_its_reader() -> None:
    names = {kind.__name__: kind for kind in CLASSES}
    for kind in CLASSES:
        held = {field.name: found for field in dataclasses.fields(kind)
                for name, found in names.items() if name in str(field.type).replace("[", " ").split()
                or f"[{name}" in str(field.type)}
        assert PARTS.get(kind, {}) == held


def test_the_page_tells_of_every_field() -> None:
    told = PAGE.read_text(encoding="utf-8").partition(MARK)[2].strip()
    assert told == described().strip(), "python -m tests.report.described writes it anew"
