"""Makes the records in documents/ anew, of the benchmark servable: one published, one refused.

    python -m tests.report.make_documents SERVABLE    # what make_servable.py made

Paths in them are those of a model directory, whatever they were.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from estimator_slim import VerificationError, optimize_saved_model
from estimator_slim.report import Report, to_json

DOCUMENTS = Path(__file__).with_name("documents")
EXPORT = "/models/intents/export"
RUNS: dict[str, dict[str, Any]] = {
    "published": {}, "refused": {"transforms": "quantize_weights(bits=4)", "max_error": 1e-4,
                                 "fallback": False}}


def recorded(source: str, folder: Path, input_fn: Callable[[], Any], **options: Any) -> Report:
    """The report of an optimization that is published, or of one that is refused."""
    try:
        report = optimize_saved_model(source, folder / "slim/1", verify="enforce", report="off",
                                      verify_input_fn=input_fn, **options)
        assert report is not None
        return report
    except VerificationError as e:
        return e.report


def document(report: Report) -> str:
    """The record, as one of `export/best`."""
    source, destination = f"{EXPORT}/best/1700000000", f"{EXPORT}/best-slim/1700000000"
    text = to_json(report)
    for path, shown in ((report.source, source), (report.destination, destination)):
        text = text.replace(path, shown)
    return text


def labelled(folder: Path) -> Callable[[], Any]:
    """The input_fn of the test set beside the servable: features, and the right answers."""
    examples = list(tf.data.TFRecordDataset(str(folder / "test.tfrecord")).as_numpy_iterator())
    labels = json.loads((folder / "test_labels.json").read_text(encoding="utf-8"))

    def test_set() -> Any:
        data = tf.data.Dataset.from_tensor_slices((examples, labels)).batch(300)
        return data.map(lambda serialized, label: (
            tf.io.parse_example(serialized, {"words": tf.io.VarLenFeature(tf.string)}), label))
    return test_set


def main() -> None:
    folder = Path(sys.argv[1])
    [version] = os.listdir(folder / "export")
    for name, options in RUNS.items():
        with tempfile.TemporaryDirectory() as work:
            report = recorded(str(folder / "export" / version), Path(work), labelled(folder), **options)
            (DOCUMENTS / f"{name}.json").write_text(document(report), encoding="utf-8")
            print(report)


if __name__ == "__main__":
    main()
