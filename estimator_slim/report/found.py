"""The records of a model, wherever they lie in its folder; without TensorFlow, on a local disk."""

from __future__ import annotations

from pathlib import Path

from estimator_slim.errors import RecordError
from estimator_slim.report.document import load_report
from estimator_slim.report.record import Report

_PLACES = ("export/*-report/*.json", "export-original/*-report/*.json", "*-report/*.json",
           "*-report.json", "*.json")
_OF_MANY = "summary.json"  # tells of many servables, beside the folders of their records


def records_in(folder: str) -> tuple[dict[str, Report], list[str]]:
    """Path → the record in it, of a model_dir, its `export/` or a folder of records.

    Besides, a sentence for each file that looks like a record and is none.
    """
    found, passed_over = {}, []
    for path in sorted({path for place in _PLACES for path in Path(folder).glob(place)
                        if path.name != _OF_MANY}):
        try:
            found[str(path)] = load_report(path)
        except RecordError as e:
            passed_over.append(str(e))
    return found, passed_over
