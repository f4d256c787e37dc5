#!/usr/bin/env python3
"""How much energy reduce_rank may leave out: decisions that change, over the test models.

    python tests/benchmarks/energies.py DIR     # those that `outputs.py exports DIR` made

Each model of which a table loses directions is asked all that verification asks it, with the list alone
and no codes. A decision is a class, or a best score; the last columns leave out near ties. The test
models' tables are narrow and hardly trained, so their spectra are flat: what a wide trained table bears
is in the step `smaller` of run.py.
"""

from __future__ import annotations

import os
import sys
import tempfile

from markdown_table import show

import estimator_slim

ENERGIES = (0.9999, 0.9995, 0.999, 0.998, 0.996, 0.99, 0.98)


def main() -> int:
    exports = sys.argv[1]
    rows = []
    for energy in ENERGIES:
        reduced, kept, all_, decisions, same, clear, clear_same = 0, 0, 0, 0, 0, 0, 0
        for name in sorted(os.listdir(exports)):
            with tempfile.TemporaryDirectory() as folder:
                report = estimator_slim.optimize_saved_model(
                    os.path.join(exports, name, "1"), os.path.join(folder, "slim"),
                    f"simplify_lookups reduce_rank(energy={energy})", verify="report", report="off",
                    fallback=False)
            assert report is not None and report.verification is not None
            ranks = [(one.rank, one.shape[1]) for step in report.steps for one in step.treated
                     if one.rank is not None]
            if not ranks:
                continue
            reduced += 1
            kept, all_ = kept + sum(rank for rank, _ in ranks), all_ + sum(width for _, width in ranks)
            parts = [part for one in report.verification.outputs
                     for part in (one.examples, one.made_up) if part is not None and part.decisions]
            decisions += sum(part.decisions for part in parts)
            same += sum(part.same for part in parts)
            clear += sum(part.clear for part in parts)
            clear_same += sum(part.clear_same for part in parts)
        rows.append([f"{energy:g}", reduced, kept / max(1, all_), decisions,
                     1000 * (decisions - same) / max(1, decisions), clear,
                     1000 * (clear - clear_same) / max(1, clear)])
    show("Energy of reduce_rank over the test models",
         ["energy", "models", "directions kept", "decisions", "changed of a thousand",
          "without near ties", "changed of a thousand"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
