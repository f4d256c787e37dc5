"""A table of 4.4 GB whose float16 result is more than 2 GB too: does it go through, load and answer?

Rows are asked for at both ends, around the places where an offset of 2 GB is passed, and at random.
Each must be exactly the original's row, rounded to float16.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys

import numpy as np
from markdown_table import show
from serving import measured, show_ratios
from slims import LISTS, optimized, size
from synthetic import DIMENSION, ROW_BYTES, write_examples, write_servable

ROWS = 4_300_000
LIMIT = 2**31  # bytes in a proto


def run(options: argparse.Namespace) -> None:
    folder = os.path.join(options.work, "beyond_2gb")
    shutil.rmtree(folder, ignore_errors=True)
    source, slim = os.path.join(folder, "original"), os.path.join(folder, "slim")
    examples = os.path.join(folder, "examples.tfrecord")
    write_servable(source, ROWS)
    write_examples(examples, _sampled_ids())
    took = optimized(source, slim, LISTS["16 bits"])
    original_rows, slim_rows = (_answers(options, path, examples) for path in (source, slim))
    same = (slim_rows == original_rows.astype(np.float16).astype(np.float32)).all(axis=1)
    show("A table of 4.4 GB at 16 bits",
         ["seconds", "peak MB", "original MB", "slim MB", "slim is > 2 GB", "rows asked",
          "rows equal to the original's in float16"],
         [[f"{took['seconds']:.1f}", took["peak_bytes"] / 1e6, size(source) / 1e6, size(slim) / 1e6,
           size(slim) > LIMIT, len(same), int(same.sum())]])
    options = argparse.Namespace(**{**vars(options), "rounds": 1})
    show_ratios("Serving it (one round)", measured(
        options, examples, {"original": source, "slim": slim}, "--batches", "1", "--iters", "200"))
    shutil.rmtree(folder)


def _sampled_ids() -> list[int]:
    passed = [LIMIT // ROW_BYTES, LIMIT // (2 * DIMENSION), 2 * LIMIT // ROW_BYTES]
    around = [row + step for row in passed for step in (-1, 0, 1)]
    random = np.random.default_rng(0).integers(0, ROWS, 245).tolist()
    return [0, ROWS - 1, *(row for row in around if row < ROWS), *random]


def _answers(options: argparse.Namespace, servable: str, examples: str) -> np.ndarray:
    """The `row` that a servable gives for each Example, in the C++ runtime."""
    if options.tools not in sys.path:
        sys.path.append(options.tools)
    import serving_bench
    import tfsd

    dump = os.path.join(os.path.dirname(examples), "dump")
    serving_bench.run(serving_bench.bench_binary(), servable, examples, "predict",
                      "--batch", "64", "--iters", "1", "--dump", dump)
    return tfsd.load(dump)["row"]
