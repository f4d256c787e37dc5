"""Mutated servables through the pipeline, each batch in a process of its own.

    python -m tests.hostile.fuzz --minutes 10 [--seed 0]     prints what was tried and how it went
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.processes import environment

BATCH = 200     # cases in a process
HANGS = 120.0   # seconds without a sign, with TensorFlow's import in them

FAILURES = ("uncaught", "littered", "unlike", "differs", "crashed", "hung")


def fuzz(originals: Path, first: int, *, count: int | None = None,
         seconds: float | None = None) -> Iterator[dict[str, Any]]:
    """The outcome of each case from seed `first` on, until there are `count` or the time is up."""
    seed, ends = first, time.monotonic() + (seconds or 1e9)
    while time.monotonic() < ends and (count is None or seed < first + count):
        last = seed + BATCH if count is None else min(seed + BATCH, first + count)
        for result in _batch(originals, seed, last):
            yield result
            seed = result["seed"] + 1
            if time.monotonic() > ends:
                break


def _batch(originals: Path, first: int, last: int) -> Iterator[dict[str, Any]]:
    """The outcomes of one process; the last of them is that it crashed or hung, if it did."""
    command = [sys.executable, "-m", "tests.hostile.fuzz_case", str(originals), str(first), str(last)]
    with tempfile.TemporaryFile() as log, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, env=environment()) as child:
        doing: dict[str, Any] = {"seed": first, "stage": "starting"}
        try:
            for line in _lines(child):
                said = json.loads(line)
                if "outcome" in said:
                    yield said
                    doing = {"seed": said["seed"] + 1, "stage": "mutating"}
                else:
                    doing = said
            if child.wait() or doing["seed"] < last:
                yield {**doing, "outcome": "crashed", "detail": f"{child.returncode} {_tail(log)}"}
        except TimeoutError:
            yield {**doing, "outcome": "hung", "detail": f"for {HANGS} s"}
        finally:
            child.kill()


def _lines(child: Any) -> Iterator[bytes]:
    """What the child prints, line by line; TimeoutError where it falls silent."""
    rest = b""
    while True:
        ready, _, _ = select.select([child.stdout], [], [], HANGS)
        if not ready:
            raise TimeoutError
        data = os.read(child.stdout.fileno(), 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


def _tail(log: Any) -> str:
    log.seek(0)
    return log.read()[-600:].decode(errors="replace")


def is_failure(result: dict[str, Any]) -> bool:
    """True unless it ended as it must, or while TensorFlow itself loaded the mutated original."""
    return result["outcome"] in FAILURES and result.get("stage") != "loading source"


def main() -> None:
    import tensorflow as tf

    from tests.hostile.originals import make_originals

    tf.get_logger().setLevel("ERROR")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_originals(Path(folder))
        tried: Counter = Counter()
        for result in fuzz(Path(folder), arguments.seed, seconds=arguments.minutes * 60):
            kind = result["outcome"]
            if kind in ("crashed", "hung"):
                kind += f" while {result['stage']}"
            tried[kind] += 1
            if is_failure(result):
                print(json.dumps(result), flush=True)
    print(f"tried {sum(tried.values()):,}: "
          + ", ".join(f"{n:,} {kind}" for kind, n in tried.most_common()))


if __name__ == "__main__":
    main()
