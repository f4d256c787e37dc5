"""Training and evaluator wait for each other, so that what shall meet does, on however slow a machine.

`Paced`: training goes on when its newest checkpoint is exported. Without it a slow evaluator would miss
checkpoints, or the trainer would delete one after its evaluation and before its export, which ends an
evaluator with or without OptimizingExporter.

`Deleting`, `InTurn` and `AfterTurn`: the chief writes its next checkpoint, and so deletes its last one,
while what the first exporter made of that is slimmed, and before the second exporter needs it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import tensorflow as tf

from estimator_slim.graph.graph import Graph
from tests.support.waiting import Waiting, wait_for

LIMIT = 600  # seconds, on a machine that does much else
TURNS = 20  # more than there are checkpoints


class Paced(tf.estimator.SessionRunHook):
    """Training goes on when its newest checkpoint is exported, as `Announcing` says."""

    def __init__(self, model_dir: str) -> None:
        self._model_dir = model_dir

    def after_run(self, *_: Any) -> None:
        newest = tf.train.latest_checkpoint(self._model_dir)
        if newest:
            wait_for(_announcement(newest), LIMIT)


class Announcing(tf.estimator.Exporter):
    """The last exporter of an evaluation: says that the others are done with its checkpoint."""

    name = "announcing"

    def export(self, estimator: Any, export_path: str, checkpoint_path: str, eval_result: Any,
               is_the_final_export: bool) -> None:
        Path(_announcement(checkpoint_path)).touch()


def _announcement(checkpoint: str) -> str:
    model_dir, name = os.path.split(checkpoint)
    return os.path.join(os.path.dirname(model_dir), f"{name}.exported")


@dataclass(frozen=True)
class InTurn(Waiting):
    """Waits as `Waiting` does: first for the file `<path>0`, the next time for `<path>1`, and so on."""

    text_name: ClassVar[str] = "in_turn"

    def rewrite(self, graph: Graph) -> None:
        paths = (f"{self.path}{turn}" for turn in range(TURNS))
        Waiting(path=next(one for one in paths if not os.path.exists(f"{one}.begun"))).rewrite(graph)


class AfterTurn(tf.estimator.Exporter):
    """Between two exporters: waits for the same file as what is `InTurn` in the first."""

    name = "after_turn"

    def __init__(self, path: str) -> None:
        self._paths = (f"{path}{turn}" for turn in range(TURNS))

    def export(self, estimator: Any, export_path: str, checkpoint_path: str, eval_result: Any,
               is_the_final_export: bool) -> None:
        wait_for(next(self._paths), LIMIT)


class Deleting(tf.estimator.SessionRunHook):
    """Of a chief that keeps one checkpoint: it writes the next while what is `InTurn` is optimized."""

    def __init__(self, model_dir: str, path: str) -> None:
        self._model_dir, self._path, self._seen = model_dir, path, [""]

    def after_run(self, *_: Any) -> None:
        newest = tf.train.latest_checkpoint(self._model_dir)
        if newest and newest != self._seen[-1]:
            turn = len(self._seen) - 1
            self._seen.append(newest)
            if turn:
                Path(f"{self._path}{turn - 1}").touch()  # as the checkpoint before is deleted now
            wait_for(f"{self._path}{turn}.begun", LIMIT)


def end_all_turns(path: str) -> None:
    """Nothing waits any longer, as the last checkpoint is written."""
    for turn in range(TURNS):
        Path(f"{path}{turn}").touch()
