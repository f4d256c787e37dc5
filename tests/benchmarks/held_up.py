"""How long exports hold up an evaluator, with and without `background`, and what they leave behind.

An evaluator is imitated: every PERIOD seconds one export, as where training writes a checkpoint each
PERIOD seconds. What the processor is not given meanwhile (the training's share) is not measured here.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time

from exporting import TABLES, apart, timed_exporter, trained
from markdown_table import show

EXPORTS = {"1.3 MB": 5, "1 GB": 3}
PERIOD = {"1.3 MB": 10, "1 GB": 60}  # seconds
MANY = 100


def run(options: argparse.Namespace) -> None:
    rows, kept = [], []
    for name in TABLES:
        for background in (False, True):
            told = [apart(__file__, name, int(background), EXPORTS[name], PERIOD[name])
                    for _ in range(options.rounds)]
            first, later, last = (
                statistics.median(s for one in told for s in one["seconds"][part])
                for part in (slice(1), slice(1, -1), slice(-1, None)))
            wrapped = statistics.median(s for one in told for s in one["wrapped"])
            rows.append([name, _how(background), wrapped, first, later, last, later / PERIOD[name]])
    show(f"Seconds that an export holds up the evaluator above the wrapped exporter, medians of "
         f"{options.rounds} trainings; the share is of an evaluator with an export every "
         + ", ".join(f"{seconds} s ({name})" for name, seconds in PERIOD.items()),
         ["servable", "slimmed", "wrapped exporter", "first", "later", "final", "share of its time"],
         rows)
    for background in (False, True):
        one = apart(__file__, "1.3 MB", int(background), MANY, 0)
        kept += [[_how(background), at, *one["kept"][at - 1]] for at in (1, 10, MANY // 2, MANY)]
    show(f"What a training holds over {MANY} exports of 1.3 MB, one behind the other",
         ["slimmed", "exports", "resident MB", "open files", "threads"], kept)


def _how(background: bool) -> str:
    return "in the background" if background else "at once"


def main() -> None:
    """Prints as JSON the seconds of each export, and what this process holds after it."""
    import tensorflow as tf

    from estimator_slim import OptimizingExporter

    tf.get_logger().setLevel("ERROR")
    name, background, exports, period = sys.argv[1:]
    last = int(exports)
    told: dict[str, list] = {"wrapped": [], "seconds": [], "kept": []}
    with tempfile.TemporaryDirectory() as folder:
        estimator, receiver = trained(os.path.join(folder, "model"), *TABLES[name])
        exporter = OptimizingExporter(timed_exporter(told["wrapped"], receiver), on_error="raise",
                                      background=background == "1")
        for number in range(1, last + 1):
            started = time.monotonic()
            exporter.export(estimator, os.path.join(folder, "export"), estimator.latest_checkpoint(),
                            {}, is_the_final_export=number == last)
            told["seconds"].append(time.monotonic() - started - told["wrapped"][-1])
            told["kept"].append(_held())
            if number < last:
                time.sleep(max(0, float(period) - (time.monotonic() - started)))
    print(json.dumps(told))


def _held() -> tuple[float, int, int]:
    """Resident megabytes, open files and threads of this process, TensorFlow's among them."""
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1])
    return (round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6), len(os.listdir("/proc/self/fd")),
            len(os.listdir("/proc/self/task")))


if __name__ == "__main__":
    main()
