"""What an export costs above the wrapped exporter: the first of a training, and those after it.

Goal for a small model: under 1 s from the second export on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from markdown_table import show

EXPORTS = 6
WIDTHS = {1.3: 16, 25.0: 312}  # MB of the servable: columns of its table of 20,000 rows


def run(options: argparse.Namespace) -> None:
    rows = []
    for megabytes, width in WIDTHS.items():
        samples = [_measured(width) for _ in range(options.rounds)]
        wrapped, above = ([statistics.median(sample[key][n] for sample in samples)
                           for n in range(EXPORTS)] for key in ("wrapped", "above"))
        rows.append([f"{megabytes:g} MB", statistics.median(wrapped), above[0],
                     statistics.median(above[1:])])
    show(f"Seconds of an export, medians of {options.rounds} trainings (goal: 1 from the second on)",
         ["servable", "wrapped exporter", "above it, first", "above it, from the second on"], rows)


def _measured(width: int) -> dict[str, list[float]]:
    """Exports in a fresh process."""
    command = [sys.executable, os.path.abspath(__file__), str(width)]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Prints the seconds of each export: the wrapped exporter's, and those above them, as JSON."""
    import tensorflow as tf

    from estimator_slim import OptimizingExporter

    class Timed(tf.estimator.LatestExporter):
        def export(self, *arguments, **by_name):
            started = time.monotonic()
            result = super().export(*arguments, **by_name)
            seconds["wrapped"].append(time.monotonic() - started)
            return result

    tf.get_logger().setLevel("ERROR")
    seconds: dict[str, list[float]] = {"wrapped": [], "above": []}
    words = tf.feature_column.categorical_column_with_hash_bucket("words", 20_000)
    columns = [tf.feature_column.embedding_column(words, int(sys.argv[1]))]
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec(columns))
    with tempfile.TemporaryDirectory() as folder:
        estimator = tf.estimator.DNNClassifier([32], columns, os.path.join(folder, "model"), n_classes=3)
        estimator.train(lambda: tf.data.Dataset.from_tensors(
            ({"words": [["turn", "on"], ["play", "it"], ["will", "it"]]}, [0, 1, 2])), steps=1)
        exporter = OptimizingExporter(Timed("latest", receiver), on_error="raise", verify="enforce")
        for _ in range(EXPORTS):
            started = time.monotonic()
            exporter.export(estimator, os.path.join(folder, "export"), estimator.latest_checkpoint(),
                            {}, is_the_final_export=False)
            seconds["above"].append(time.monotonic() - started - seconds["wrapped"][-1])
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
