#!/usr/bin/env python3
"""Measures estimator_slim on large servables; prints one Markdown table for each question.

    python tests/benchmarks/run.py --work /tmp/bench                   # all of it, about two hours
    python tests/benchmarks/run.py --work /tmp/bench --only nodes      # one step
    python tests/benchmarks/run.py --work /tmp/bench --servable DIR    # DIR: what make_servable.py made
    python tests/benchmarks/run.py --work /tmp/bench --write           # also into results.md

Each step is the module of its name beside this file, and a section of its name in results.md. Times are
medians of interleaved rounds; read them as ratios to the original in the same run. Needs 12 GB of disk,
and g++ for the C++ runtime.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import os
import platform
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STEPS = ("optimizing", "recording", "exporting", "held_up", "serving", "smaller", "nodes",
         "three_columns", "zoo", "alternatives", "contract", "placement", "trust", "refusals", "scaling",
         "beyond_2gb", "verifying")
ON_THE_SERVABLE = ("optimizing", "recording", "serving", "smaller", "nodes", "verifying")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, help="folder for what is made; large files are removed")
    parser.add_argument("--servable", help="output folder of make_servable.py; default: WORK/servable, "
                                           "made there once (1.02 GB)")
    parser.add_argument("--tools", default=os.path.join(ROOT, "..", "shared", "tools"),
                        help="folder of make_servable.py and serving_bench.py")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=STEPS, action="append", help="may be given several times")
    parser.add_argument("--skip_large", action="store_true", help="leaves out tables of 4 GB and more")
    parser.add_argument("--write", action="store_true",
                        help="also writes the tables into results.md, and the cells into contract.csv")
    return parser.parse_args()


def prepared(options: argparse.Namespace) -> argparse.Namespace:
    """The options with absolute paths, and the benchmark servable made if it is needed."""
    options.work, options.tools = os.path.abspath(options.work), os.path.abspath(options.tools)
    options.servable = os.path.abspath(options.servable or os.path.join(options.work, "servable"))
    options.steps = options.only or [s for s in STEPS if not (options.skip_large and s == "beyond_2gb")]
    os.makedirs(options.work, exist_ok=True)
    if set(options.steps) & set(ON_THE_SERVABLE) and not os.path.exists(options.servable):
        subprocess.run([sys.executable, os.path.join(options.tools, "make_servable.py"),
                        options.servable], check=True, stdout=sys.stderr)
    return options


def machine() -> str:
    import tensorflow as tf
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                            capture_output=True, text=True).stdout.strip() or "no git"
    return (f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB, "
            f"Python {platform.python_version()}, TensorFlow {tf.__version__}, commit {commit}")


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    sys.path.insert(0, ROOT)
    options = prepared(arguments())
    import tensorflow as tf
    from results import written
    from slims import remove_slims

    tf.get_logger().setLevel("ERROR")
    where = machine()
    print(where, flush=True)
    try:
        for step in options.steps:
            started = time.monotonic()
            with written(step, options.rounds, where) if options.write else contextlib.nullcontext():
                importlib.import_module(step).run(options)
            print(f"({step}: {time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
    finally:
        remove_slims(options)


if __name__ == "__main__":
    main()
