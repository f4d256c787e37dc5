"""What the record of an optimization costs, as a share of its time: a tiny servable and the benchmark's.

Goal: less than 1 %.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from markdown_table import show
from slims import HERE, medians, original, size

PARTS = ("errors", "bytes", "measuring", "writing", "versions", "watch")


def run(options: argparse.Namespace) -> None:
    from tests.support.training import export
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        sources = {"a tiny classifier": export(pathlib.Path(folder, "tiny")),
                   "the benchmark servable": original(options.servable)}
        rows = [_row(name, source, folder, options.rounds) for name, source in sources.items()]
    show("What is done for the record, milliseconds of processor time (goal: 1 %)",
         ["servable", "MB", "seconds", *PARTS, "all", "% of the time"], rows)


def _row(name: str, source: str, folder: str, rounds: int) -> list[object]:
    took = medians([_once(source, os.path.join(folder, f"{name}-{n}")) for n in range(rounds)])
    parts = [1e3 * took.get(part, 0.0) for part in PARTS]
    return [name, size(source) / 1e6, took["seconds"], *parts, 1e3 * took["record"],
            100 * took["record"] / took["seconds"]]


def _once(source: str, destination: str) -> dict[str, float]:
    command = [sys.executable, os.path.join(HERE, "record_once.py"), source, destination]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True)
                      .stdout.splitlines()[-1])
