"""What rows that were never trained, and directions that count little, take; through serving_bench.py.

The benchmark servable's checkpoint has no .meta file, so that the lists say of its table that it started
from random numbers, as make_servable.py makes it.

Goals: rows dropped, with 8 bits: 1/500, agreement 0.999, load 0.05, resident memory 0.02, p50 0.90 and
0.95; with fewer directions: 1/1,000, accuracy within 0.001, p50 0.87 and 0.80; all rows and 128
directions: 0.13 and agreement 0.9985; 96: 0.10 and 0.997. Each made in 8 s, with a peak of 0.10.
"""

from __future__ import annotations

import argparse
import os

from markdown_table import show
from serving import measured, show_ratios
from slims import optimized, original, size, slim_path

from estimator_slim.presets import DEFAULT

TABLE = "dnn/input_from_feature_columns/input_layer/words_embedding/embedding_weights/part_0"
ROWS = f'drop_untrained_rows(random="{TABLE}")'


def with_less(less: str) -> str:
    """The default list with transforms before its codes."""
    return DEFAULT.replace("quantize_weights", f"{less} quantize_weights")


LISTS = {
    "trained rows": with_less(ROWS),
    "and directions": with_less(f"{ROWS} reduce_rank"),
    "fewer directions": with_less(f"{ROWS} reduce_rank(energy=0.996)"),
    "all rows, 128 directions": with_less("reduce_rank(rank=128)"),
    "all rows, 96 directions": with_less("reduce_rank(rank=96)"),
}


def run(options: argparse.Namespace) -> None:
    source = original(options.servable)
    paths, lines = {}, []
    for name, transforms in LISTS.items():
        paths[name] = os.path.join(slim_path(options, name.replace(",", "")), "1")
        checkpoint = os.path.join(options.servable, "model") if ROWS in transforms else ""
        took = optimized(source, paths[name], transforms, checkpoint)
        lines.append([name, size(source) / size(paths[name]), took["seconds"],
                      took["peak_bytes"] / size(source)])
    show("Smaller: making them", ["", "original / slim", "seconds", "peak memory / original"], lines)
    rows = measured(options, os.path.join(options.servable, "test.tfrecord"),
                    {"original": source, **paths},
                    "--labels", os.path.join(options.servable, "test_labels.json"))
    show_ratios("Smaller: serving, as ratios to the original", rows)
