"""Seconds and peak memory of optimizing tables of growing size with the default list.

Goal: time grows linearly with the table, the peak does not grow.
"""

from __future__ import annotations

import argparse
import os
import shutil

from markdown_table import show
from slims import LISTS, medians, optimized, size
from synthetic import ROW_BYTES, write_servable

GIGABYTES = (0.25, 1.0, 4.0)
LARGE = 4.0


def run(options: argparse.Namespace) -> None:
    sizes = [gb for gb in GIGABYTES if gb < LARGE or not options.skip_large]
    folder = os.path.join(options.work, "scaling")
    shutil.rmtree(folder, ignore_errors=True)
    sources = {gb: os.path.join(folder, f"original_{gb}") for gb in sizes}
    for gb, source in sources.items():
        write_servable(source, rows=int(gb * 1e9) // ROW_BYTES)
    samples: dict[float, list[dict[str, float]]] = {gb: [] for gb in sizes}
    slim = os.path.join(folder, "slim")
    for _ in range(min(options.rounds, 3)):
        for gb, source in sources.items():
            samples[gb].append(optimized(source, slim, LISTS["8 bits"]))
    show(f"Tables of growing size, 8 bits, medians of {min(options.rounds, 3)} rounds",
         ["table GB", "seconds", "seconds / GB", "peak MB", "peak / servable"],
         [_row(gb, medians(samples[gb]), size(sources[gb])) for gb in sizes])
    shutil.rmtree(folder)


def _row(gigabytes: float, took: dict[str, float], total: int) -> list[object]:
    seconds, peak = took["seconds"], took["peak_bytes"]
    return [str(gigabytes), f"{seconds:.1f}", f"{seconds / gigabytes:.1f}", peak / 1e6, peak / total]
