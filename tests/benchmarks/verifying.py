"""What verification takes: seconds, and memory beside TensorFlow's own and the slim servable's.

Three servables: the benchmark's; one of 4 GB in a container of 1.5 times its size (a cgroup, for which
root is needed), where the process that exports holds the original as an evaluator does; and one that is
larger than the machine's memory.

    python tests/benchmarks/verifying.py SRC DST [LIMIT]   # one, in this process, in LIMIT bytes

Goal: 0.15 of the servable's bytes beside the slim servable's own, and under 3 s, of 1 GB.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from markdown_table import show

HELD_ROWS = 4_000_000
BEYOND = 1.07  # times the machine's memory
COLUMNS = ["servable", "MB", "slim MB", "seconds", "MB beside TensorFlow",
           "beside the slim one / servable", "what came of it"]


def run(options: argparse.Namespace) -> None:
    from slims import original
    from synthetic import ROW_BYTES
    slim = os.path.join(options.work, "verifying")
    rows = [["the benchmark's", *_row(_measured(original(options.servable), slim))]]
    with _made(options, HELD_ROWS) as source:
        limit = int(1.5 * HELD_ROWS * ROW_BYTES)
        rows.append([f"in a container of {limit / 1e6:,.0f} MB, beside one that holds it",
                     *_row(_measured(source, slim, limit))])
    if not options.skip_large:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        with _made(options, int(BEYOND * memory / ROW_BYTES)) as source:
            rows.append([f"on a machine of {memory / 1e6:,.0f} MB", *_row(_measured(source, slim))])
    show("Verifying (goal, of 1 GB: 3 s and 0.15)", COLUMNS, rows)


@contextlib.contextmanager
def _made(options: argparse.Namespace, rows: int) -> Iterator[str]:
    from synthetic import write_servable
    folder = os.path.join(options.work, "verified")
    try:
        write_servable(folder, rows)
        yield folder
    finally:
        shutil.rmtree(folder)


def _measured(source: str, slim: str, limit: int = 0) -> dict[str, Any]:
    """Optimizes and verifies in a fresh process."""
    command = [sys.executable, os.path.abspath(__file__), source, slim, str(limit)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE)
    shutil.rmtree(slim, ignore_errors=True)
    if done.returncode:
        return {"outcome": f"ended by {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def _row(one: dict[str, Any]) -> list[Any]:
    if "bytes" not in one:
        return ["", "", "", "", "", one["outcome"]]
    beside = one["child_peak"] - one["tensorflow"]
    return [one["bytes"] / 1e6, one["slim_bytes"] / 1e6, f"{one['seconds']:.1f}", beside / 1e6,
            f"{(beside - one['slim_loaded']) / one['bytes']:.3f}", one["outcome"]]


# ---- one, in this process


def main() -> None:
    """Prints as JSON what verifying took, once a smaller servable has started the process that asks."""
    import tempfile

    import tensorflow as tf
    from synthetic import write_servable

    from estimator_slim import optimize_saved_model
    source, slim, limit = sys.argv[1], sys.argv[2], int((sys.argv[3:] or ["0"])[0])
    tf.get_logger().setLevel("ERROR")
    with _container(limit), contextlib.ExitStack() as held, tempfile.TemporaryDirectory() as folder:
        if limit:
            held.enter_context(_held(source))
        small = os.path.join(folder, "small")
        write_servable(small, 10)
        first = optimize_saved_model(small, os.path.join(folder, "slim"), verify="enforce", report="off")
        report = optimize_saved_model(source, slim, verify="enforce", report="off")
    seconds = sum(one.seconds for one in report.phases if one.name == "verify")
    found = report.verification
    loaded = report.bytes_after if not any("not loaded whole" in one for one in found.warnings) else 0
    print(json.dumps({
        "bytes": report.bytes_before, "slim_bytes": report.bytes_after, "seconds": seconds,
        "child_peak": report.child_peak_memory, "tensorflow": first.child_peak_memory,
        "slim_loaded": loaded, "outcome": str(found).partition(":")[0]}))


@contextlib.contextmanager
def _held(source: str) -> Iterator[None]:
    """The servable in this process's memory, as an evaluator holds its model."""
    import tensorflow as tf
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], source)
        yield


@contextlib.contextmanager
def _container(limit: int) -> Iterator[None]:
    """This process, and those that it starts, in a group (cgroup, version 1) with so many bytes."""
    if not limit:
        yield
        return
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        groups = dict(line.strip().split(":", 2)[1:] for line in file)
    outer = os.path.join("/sys/fs/cgroup/memory", groups["memory"].lstrip("/"))
    inner = os.path.join(outer, f"verifying-{os.getpid()}")
    os.mkdir(inner)
    try:
        for name, value in (("memory.limit_in_bytes", limit), ("cgroup.procs", os.getpid())):
            with open(os.path.join(inner, name), "w", encoding="utf-8") as file:
                file.write(str(value))
        yield
    finally:
        from estimator_slim.verify import end_worker
        end_worker()
        with open(os.path.join(outer, "cgroup.procs"), "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))
        os.rmdir(inner)


if __name__ == "__main__":
    main()
