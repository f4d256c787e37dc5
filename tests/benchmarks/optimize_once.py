"""Optimizes one servable in this process, which does nothing else; prints what it took as JSON.

    optimize_once.py SRC DST TRANSFORMS CHECKPOINT  →  {"seconds": 5.1, "peak_bytes": 290000000}

The peak is the memory above what `import tensorflow` and `import estimator_slim` had taken.
"""

from __future__ import annotations

import json
import sys
import time

import tensorflow as tf  # noqa: F401  its memory is part of what is subtracted

import estimator_slim


def peak_bytes() -> int:
    """The most memory this process ever had."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    source, destination, transforms, checkpoint = sys.argv[1:]
    before, started = peak_bytes(), time.monotonic()
    estimator_slim.optimize_saved_model(source, destination, transforms, verify="off",
                                        checkpoint=checkpoint or None)
    seconds = time.monotonic() - started
    print(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes() - before}))


if __name__ == "__main__":
    main()
