"""The records that are checked in are of the schema of those that are written.

Every field of theirs is written still, with values of the same types; within a schema, fields may be
added but none goes (see document.py).
`documents/published.json` and `refused.json` are of the benchmark servable, by make_documents.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from estimator_slim import load_report
from tests.report.make_documents import DOCUMENTS, RUNS, document, recorded
from tests.support.training import input_fn

FREE = ("versions", "facts")  # maps whose keys are data


@pytest.fixture(params=RUNS)
def name(request: Any) -> str:
    return request.param


@pytest.fixture
def kept(name: str) -> dict:
    return json.loads((DOCUMENTS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def fresh(name: str, trained: str, tmp_path: Path) -> dict:
    """The record of the same run, of a tiny servable."""
    options = {**RUNS[name], "transforms": RUNS[name].get("transforms", "quantize_weights")}
    options["transforms"] = options["transforms"].replace("bits=4", "bits=4, minimum_size=1")
    return json.loads(document(recorded(trained, tmp_path, input_fn, **options)))


def test_every_field_is_in_a_record_that_is_made_now_with_values_of_the_same_types(
        kept: dict, fresh: dict) -> None:
    was, now = types(kept), types(fresh)
    for path in was.keys() & now.keys():
        assert was[path] == now[path] or "null" in was[path] | now[path], path
    for path, keys in fields(kept).items():
        assert keys <= fields(fresh).get(path, keys), f"{path}: a field that goes is a new schema"
    assert len(was.keys() & now.keys()) > 100


def test_it_is_read_and_its_line_says_what_became_of_a_gigabyte(name: str) -> None:
    report = load_report(DOCUMENTS / f"{name}.json")
    assert report.outcome == name
    assert report.bytes_before > 1e9 > 4 * report.bytes_after * 0.9
    if name == "published":
        assert str(report).startswith("1,02")
        assert " of 4,500 of your examples (accuracy 0." in str(report)
    else:
        assert "does not answer as the original does" in str(report)


def test_the_table_of_the_benchmark_is_told_with_what_became_of_it(name: str) -> None:
    steps = load_report(DOCUMENTS / f"{name}.json").steps
    treated = [one for step in steps for one in step.treated if one.shape == (1_000_000, 256)]
    assert [one.bits for one in treated] == [8 if name == "published" else 4]
    assert 0 < treated[0].error < 0.2
    assert treated[0].bytes_before == 1_024_000_000


def types(value: Any, path: str = "") -> dict[str, set[str]]:
    """Path → the names of the types of what stands there; elements of a list share a path."""
    found: dict[str, set[str]] = {path: {_name(value)}}
    for key, one in _inside(value, path):
        for inner, names in types(one, key).items():
            found.setdefault(inner, set()).update(names)
    return found


def fields(value: Any, path: str = "") -> dict[str, frozenset[str]]:
    """Path of an object → its keys."""
    is_object = isinstance(value, dict) and not path.endswith(FREE)
    found = {path: frozenset(value)} if is_object else {}
    for key, one in _inside(value, path):
        found.update(fields(one, key))
    return found


def _inside(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(path if path.endswith(FREE) else f"{path}/{key}", one) for key, one in value.items()]
    return [(f"{path}[]", one) for one in value] if isinstance(value, list) else []


def _name(value: Any) -> str:
    return "null" if value is None else type(value).__name__
