"""A report as JSON, and JSON of this or an older version as a report.

A document has the fields of Report and what it is made of under their names, and the version of its
schema as `schema`. A field may be added to a version; a reader passes over what it does not know. Where
a field is renamed, goes or changes its meaning, the version rises, and `MIGRATIONS` gets the way from
the one before. Numbers that JSON has not are the texts `Infinity`, `-Infinity` and `NaN`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable
from typing import Any, Union

from estimator_slim.errors import OptionError, RecordError
from estimator_slim.paths import as_text
from estimator_slim.report.outputs import OutputResult, Part
from estimator_slim.report.record import Chosen, Problem, Report
from estimator_slim.report.steps import Phase, Step, Tried
from estimator_slim.report.treatment import Treatment
from estimator_slim.report.verification import Asked, Failure, Verification

SCHEMA = 1
Document = dict[str, Any]

# Class → field → the class of what it holds, one or a list.
PARTS: dict[type, dict[str, type]] = {
    Report: {"steps": Step, "verification": Verification, "tried": Tried, "error": Problem,
             "phases": Phase, "options": Chosen},
    Step: {"treated": Treatment},
    Tried: {"verification": Verification},
    Verification: {"outputs": OutputResult, "failures": Failure, "questions": Asked, "apart": Part},
    OutputResult: {"examples": Part, "made_up": Part}}

_NUMBERS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def to_json(report: Report) -> str:
    """The report as a JSON document of the newest version."""
    document = {"schema": SCHEMA, **_plain(report)}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: Union[str, bytes]) -> Report:  # noqa: UP007  for typing.get_type_hints on 3.9
    """The report that a JSON document of this version or an older one holds.

    Raises:
      RecordError: it is none, or one of a newer version.
    """
    try:
        document = json.loads(text)
    except ValueError as e:
        raise RecordError(f"no record: expected the JSON that estimator_slim writes; {e}") from e
    if not isinstance(document, dict) or not isinstance(document.get("schema", 0), int):
        raise RecordError("no record: expected a JSON object with a number as its 'schema'")
    try:
        return _built(Report, _of_this_version(document))
    except (TypeError, KeyError, AttributeError, ValueError) as e:
        raise RecordError(f"a damaged record: expected the fields of schema {SCHEMA}, which "
                          f"estimator_slim/report/record.md lists ({type(e).__name__}: {e})") from e


def load_report(path: Union[str, bytes, os.PathLike]) -> Report:  # noqa: UP007
    """The report in a record's file on a local disk, `<export>/<name>-slim-report/<version>.json`.

    It needs no TensorFlow. `from_json` takes the text of a record that lies elsewhere.

    Raises:
      RecordError: it cannot be read, is no record, or one that a newer estimator_slim wrote.
    """
    try:
        with open(as_text(path, "path"), "rb") as file:
            return from_json(file.read())
    except (OSError, OptionError, RecordError) as e:
        raise RecordError(f"{os.fsdecode(path)}: {e}") from e


# ---- older versions


def _from_0(document: Document) -> Document:
    """Version 0.1.0 wrote none; this is what its `Report.as_dict()` gave."""
    tried = {"name": "as asked", "byte_count": document["bytes_after"], "seconds": document["seconds"],
             "transforms": " ".join(step["transform"] for step in document["steps"]),
             "verification": document.get("verification")}
    verification = document.get("verification")
    if verification is not None:
        tried["verdict"] = "failed" if verification["failures"] else "passed"
    return {"outcome": "published", "tried": [tried], **document}


MIGRATIONS: dict[int, Callable[[Document], Document]] = {0: _from_0}  # version → to the next one


def _of_this_version(document: Document) -> Document:
    version = document.pop("schema", 0)
    if version > SCHEMA:
        raise RecordError(f"a record of schema {version}, and this estimator_slim reads up to {SCHEMA}: "
                          "update estimator_slim")
    for number in range(version, SCHEMA):
        document = MIGRATIONS[number](document)
    return document


# ---- to plain values and back


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):  # a number or an array of numpy's
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _built(kind: Any, document: Document) -> Any:
    known = {field.name: str(field.type) for field in dataclasses.fields(kind)}
    parts = PARTS.get(kind, {})
    return kind(**{name: _read(known[name], parts.get(name), value)
                   for name, value in document.items() if name in known})


def _read(annotation: str, part: type | None, value: Any) -> Any:
    """A field's value: an object of class `part`, a list of them, or what the annotation says."""
    if value is None:
        return None
    if part is not None:
        read = [_built(part, one) for one in value] if isinstance(value, list) else _built(part, value)
        return tuple(read) if annotation.startswith("tuple") else read
    has_numbers = not annotation.startswith("str") and ("float" in annotation or "Fact" in annotation)
    value = _with_tuples(value, _NUMBERS if has_numbers else {})
    return list(value) if annotation.startswith("list") else value


def _with_tuples(value: Any, numbers: dict[str, float]) -> Any:
    """The value with tuples for lists, and with numbers for the texts that stand for them."""
    if isinstance(value, list):
        return tuple(_with_tuples(one, numbers) for one in value)
    if isinstance(value, dict):
        return {key: _with_tuples(one, numbers) for key, one in value.items()}
    return numbers.get(value, value) if isinstance(value, str) else value
