#!/usr/bin/env python3
"""What each preset makes of every test model, verified, and what was estimated before.

    python tests/benchmarks/presets.py           # builds every model first
    python tests/benchmarks/presets.py DIR       # takes those that `outputs.py exports DIR` made

Bytes are those of the slim servable as a share of the original's, and in brackets the estimate as a
multiple of what was made; agreement is that of all decisions, and `rung` the list that passed, where it
was not the first. The test models are small: most of their bytes are their graphs.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile

from markdown_table import show

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))  # this file is run by its path

import estimator_slim  # noqa: E402
from estimator_slim.presets import BALANCED, LOSSLESS, SMALLEST  # noqa: E402
from tests.support.models import MODELS  # noqa: E402

NAMES = (LOSSLESS, BALANCED, SMALLEST)


def main() -> int:
    exports = sys.argv[1] if len(sys.argv) > 1 else ""
    rows = []
    for name, model in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(exports, name, "1") if exports else os.fsdecode(model.build(folder))
            expected = estimator_slim.estimate(source).byte_counts
            rows.append([name, *(made(source, os.path.join(folder, preset), preset, expected[preset])
                                 for preset in NAMES)])
    show("Presets: bytes (estimate), agreement, rung", ["model", *NAMES], rows)
    return 0


def made(source: str, destination: str, preset: str, expected: int) -> str:
    """What came of one preset, in a few words."""
    try:
        report = estimator_slim.optimize_saved_model(source, destination, preset=preset, report="off")
    except estimator_slim.EstimatorSlimError as error:
        return type(error).__name__
    assert report is not None and report.verification is not None
    agreement = report.verification.agreement
    told = [f"{report.ratio:.2f} ({expected / report.bytes_after:.2f})"]
    told += [] if agreement is None else [f"{agreement:.3f}"]
    told += [report.tried[-1].name] if len(report.tried) > 1 else []
    return ", ".join(told)


if __name__ == "__main__":
    sys.exit(main())
