"""Original and slim servables side by side in the C++ runtime, through serving_bench.py.

Goals, as ratios to the original in the same run:
  8 bits: disk 0.256, resident memory 0.27, load 0.35, agreement 0.999, accuracy within 0.001
  4 bits: disk 0.135, agreement 0.994, accuracy within 0.002; 16 bits: agreement 0.9997
  p50: 0.90 at batch 1, 0.95 at batch 64, float and quantized
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile

from markdown_table import show
from slims import original, slims

RATIOS = {"disk_MB": "disk", "load_ms": "load", "p50_us@1": "p50 at batch 1",
          "p50_us@64": "p50 at batch 64", "resident_MB": "resident memory"}
VALUES = {"top1_agreement": "agreement", "max_score_diff": "largest difference of a score",
          "accuracy": "accuracy"}


def run(options: argparse.Namespace) -> None:
    servables = {"original": original(options.servable), **slims(options)}
    rows = measured(options, os.path.join(options.servable, "test.tfrecord"), servables,
                    "--labels", os.path.join(options.servable, "test_labels.json"))
    show_ratios("Serving, as ratios to the original", rows)


def measured(options: argparse.Namespace, examples: str, servables: dict[str, str],
             *extra: str) -> dict[str, dict[str, float]]:
    """What serving_bench.py measures of each servable, by the servable's name."""
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        result = os.path.join(folder, "result.json")
        command = [sys.executable, os.path.join(options.tools, "serving_bench.py"), examples,
                   *servables.values(), "--rounds", str(options.rounds), "--json", result, *extra]
        process = subprocess.run(command, capture_output=True, text=True)
        if process.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{process.stderr[-4000:]}")
        with open(result) as file:
            return dict(zip(servables, json.load(file)["rows"]))


def show_ratios(title: str, rows: dict[str, dict[str, float]]) -> None:
    """One column a servable, the first in its own units and the others as ratios to it."""
    first, *others = rows.values()
    lines = [[f"{title_} (original: {key.split('@')[0].rpartition('_')[2]})", first[key],
              *(row[key] / first[key] for row in others)]
             for key, title_ in RATIOS.items() if key in first]
    lines += [[title_, *(row[key] for row in rows.values())]
              for key, title_ in VALUES.items() if key in first]
    show(title, ["", *rows], lines)
