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
from typing import Any

from markdown_table import show

EXPORTS = 4
TABLES = {"1.3 MB": (20_000, 16), "1 GB": (1_000_000, 256)}  # rows and columns


def run(options: argparse.Namespace) -> None:
    rows = []
    for name, (length, width) in TABLES.items():
        samples = [apart(__file__, length, width) for _ in range(options.rounds)]
        wrapped, above = ([statistics.median(sample[key][n] for sample in samples)
                           for n in range(EXPORTS)] for key in ("wrapped", "above"))
        rows.append([name, statistics.median(wrapped), above[0], statistics.median(above[1:])])
    show(f"Seconds of an export, medians of {options.rounds} trainings (goal: 1 from the second on)",
         ["servable", "wrapped exporter", "above it, first", "above it, from the second on"], rows)


def apart(program: str, *arguments: object) -> dict[str, list]:
    """What a file of this folder finds in a fresh process: the JSON that it prints last."""
    command = [sys.executable, os.path.abspath(program), *map(str, arguments)]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def timed_exporter(seconds: list[float], receiver: Any) -> Any:
    """A LatestExporter, of one version, that adds what each of its exports takes to `seconds`."""
    import tensorflow as tf

    class Timed(tf.estimator.LatestExporter):
        def export(self, *arguments: Any, **by_name: Any) -> Any:
            started = time.monotonic()
            result = super().export(*arguments, **by_name)
            seconds.append(time.monotonic() - started)
            return result

    return Timed("latest", receiver, exports_to_keep=1)


def main() -> None:
    """Prints the seconds of each export as JSON: the wrapped exporter's, and those above them."""
    import tensorflow as tf

    from estimator_slim import OptimizingExporter

    tf.get_logger().setLevel("ERROR")
    length, width = map(int, sys.argv[1:])
    seconds: dict[str, list[float]] = {"wrapped": [], "above": []}
    with tempfile.TemporaryDirectory() as folder:
        estimator, receiver = trained(os.path.join(folder, "model"), length, width)
        exporter = OptimizingExporter(timed_exporter(seconds["wrapped"], receiver), on_error="raise")
        for _ in range(EXPORTS):
            started = time.monotonic()
            exporter.export(estimator, os.path.join(folder, "export"), estimator.latest_checkpoint(),
                            {}, is_the_final_export=False)
            seconds["above"].append(time.monotonic() - started - seconds["wrapped"][-1])
    print(json.dumps(seconds))


def trained(model_dir: str, length: int, width: int) -> tuple[Any, Any]:
    """A classifier of words, trained for one step, and what receives its requests."""
    import tensorflow as tf

    words = tf.feature_column.categorical_column_with_hash_bucket("words", length)
    columns = [tf.feature_column.embedding_column(words, width)]
    texts = {"words": [["turn", "on"], ["play", "it"], ["will", "it"]]}
    estimator = tf.estimator.DNNClassifier([32], columns, model_dir, n_classes=3, optimizer="SGD")
    estimator.train(lambda: tf.data.Dataset.from_tensors((texts, [0, 1, 2])), steps=1)
    return estimator, tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec(columns))


if __name__ == "__main__":
    main()
