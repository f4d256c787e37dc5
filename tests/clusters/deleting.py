"""As partitioned.py, but for this: each checkpoint is deleted while what was exported of it is slimmed.

    TF_CONFIG=... python -m tests.clusters.deleting MODEL_DIR [--background]

The cluster has no worker: the chief alone decides when which checkpoint is written.
"""

from __future__ import annotations

import os
import sys

from estimator_slim import OptimizingExporter
from tests.clusters import partitioned
from tests.clusters.pace import AfterTurn, Deleting, InTurn, end_all_turns
from tests.clusters.task import train
from tests.support.training import input_fn

TRANSFORMS = "drop_untrained_rows quantize_weights"  # the first reads the checkpoint


def main(model_dir: str, *arguments: str) -> None:
    turn = os.path.join(os.path.dirname(model_dir), "turn")
    background = "--background" in arguments
    best, latest = partitioned.exporters()
    first = OptimizingExporter(best, [InTurn(path=turn), TRANSFORMS], fallback=False,
                               background=background, on_error="raise")
    second = OptimizingExporter(latest, TRANSFORMS, background=background, on_error="raise")
    trained = partitioned.estimator(model_dir)
    train(trained, input_fn, partitioned.STEPS, [first, AfterTurn(turn), second],
          [Deleting(model_dir, turn)])
    if trained.config.is_chief:
        end_all_turns(turn)


if __name__ == "__main__":
    main(*sys.argv[1:])
