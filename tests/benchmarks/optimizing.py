"""What optimizing the benchmark servable takes: seconds and peak memory, each in a fresh process.

Goal: ≤ 8 s, and a peak of ≤ 0.30 of the servable's bytes above what `import tensorflow` takes.
"""

from __future__ import annotations

import argparse

from markdown_table import show
from slims import LISTS, medians, optimized, original, size, slim_path


def run(options: argparse.Namespace) -> None:
    source = original(options.servable)
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in LISTS}
    for round_ in range(options.rounds + 1):  # round 0 reads the original into the page cache
        for name, transforms in LISTS.items():
            if round_ or name == "lossless":
                sample = optimized(source, slim_path(options, name), transforms)
                if round_:
                    samples[name].append(sample)
    total = size(source)
    show(f"Optimizing {total / 1e6:,.0f} MB, medians of {options.rounds} rounds (goal: 8 s; peak 0.30)",
         ["list", "seconds", "peak MB", "peak / servable", "disk MB", "disk / servable"],
         [_row(name, medians(samples[name]), size(slim_path(options, name)), total) for name in LISTS])


def _row(name: str, took: dict[str, float], written: int, total: int) -> list[object]:
    peak = took["peak_bytes"]
    return [name, f"{took['seconds']:.1f}", peak / 1e6, peak / total, written / 1e6, written / total]
