"""Optimizes one servable in this process, and times what is done for its record alone.

    record_once.py SRC DST  →  {"seconds": 5.1, "record": 0.02, "errors": 0.01, ...}

It is done twice, and the second time is told: from then on the process that asks is there. Times are
processor time of the thread that optimizes: what is timed here is far below the noise of two runs,
with and without a record. The thread that watches the memory is in `watch`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from collections import defaultdict
from typing import Any

import estimator_slim
from estimator_slim import record_files, recording, usage
from estimator_slim.graph.graph import Graph
from estimator_slim.transforms.weights import quantize_weights

SPENT: dict[str, float] = defaultdict(float)


def timed(what: str, function: Any) -> Any:
    @functools.wraps(function)
    def call(*arguments: Any, **by_name: Any) -> Any:
        started = time.thread_time()
        try:
            return function(*arguments, **by_name)
        finally:
            SPENT[what] += time.thread_time() - started
    return call


def time_blocks() -> None:
    """Times what `measured` does before and after its block."""
    manager = contextlib._GeneratorContextManager
    enter, leave = manager.__enter__, manager.__exit__
    code = usage.measured.__wrapped__.__code__

    def only_ours(what: Any) -> Any:
        ours = timed("measuring", what)
        return lambda self, *rest: (ours if self.gen.gi_code is code else what)(self, *rest)
    manager.__enter__ = only_ours(enter)  # type: ignore[method-assign]
    manager.__exit__ = only_ours(leave)  # type: ignore[method-assign]


def main() -> None:
    source, destination = sys.argv[1:]
    quantize_weights.coded = timed("errors", quantize_weights.coded)
    Graph.byte_count = property(timed("bytes", Graph.byte_count.fget))  # type: ignore[assignment]
    recording.keep = timed("writing", record_files.keep)
    recording.versions = timed("versions", recording.versions)
    usage._Watch._look = timed("watch", usage._Watch._look)
    time_blocks()
    for number in range(2):
        SPENT.clear()
        started = time.monotonic()
        estimator_slim.optimize_saved_model(source, f"{destination}-{number}")
        seconds = time.monotonic() - started
    print(json.dumps({"seconds": seconds, "record": sum(SPENT.values()), **SPENT}))


if __name__ == "__main__":
    main()
