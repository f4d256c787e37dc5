#!/usr/bin/env python3
"""Seconds for each of many small servables: a command for each, and one for all.

    python tests/benchmarks/fleet.py --work DIR --count 50
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from markdown_table import show

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "estimator_slim", "optimize"]
MOST_IN_A_LOOP = 5  # of the commands that take one servable each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, type=Path, help="folder for what is made")
    parser.add_argument("--count", type=int, default=50, help="of servables")
    options = parser.parse_args()
    folder = options.work / "fleet"
    shutil.rmtree(folder, ignore_errors=True)
    sys.path.insert(0, str(ROOT))
    from tests.support import many
    models = many.make(folder, options.count)
    few = models[:MOST_IN_A_LOOP]
    loop = [[str(model), str(folder / f"one/{number}/1")] for number, model in enumerate(few)]
    pattern = str(folder / many.PATTERN)
    rows = [("a command each", *_each(loop, len(few)))]
    for jobs in (1, 2):
        all_of_them = [[pattern, f"--out={folder}/jobs-{jobs}", f"--jobs={jobs}"]]
        rows += [(f"`--jobs {jobs}`", *_each(all_of_them, len(models))),
                 (f"`--jobs {jobs}`, all done before", *_each(all_of_them, len(models)))]
    show(f"{options.count} small servables: seconds for each", ["", "by the clock", "of a processor"],
         rows)


def _each(commands: list[list[str]], count: int) -> tuple[float, float]:
    """Seconds by the clock and of processors, a servable."""
    before, started = _processor(), time.monotonic()
    for command in commands:
        subprocess.run([*COMMAND, *command], check=True, stdout=subprocess.DEVNULL, cwd=ROOT,
                       env={**os.environ, "PYTHONPATH": str(ROOT)})
    return (time.monotonic() - started) / count, (_processor() - before) / count


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
