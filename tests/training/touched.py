"""Counts the rows that training touched and whose slots did not move, by optimizer.

    python -m tests.training.touched [--steps 300]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from tests.training.asking import left_of
from tests.training.tables import ROWS, LazyAdam, Table, alone, ids_of, legacy, moved, optimizers, train

HEAD = ("optimizer", "loss", "touched", "moved", "no slot moved", "of them by 1e-4", "furthest", "said")


def row(name: str, prefix: str, touched: np.ndarray) -> list[str]:
    """What a checkpoint and the first one beside it hold of a table and its slots."""
    last = tf.train.load_checkpoint(prefix)
    first = tf.train.load_checkpoint(f"{prefix.rpartition('-')[0]}-0")
    slots = [key for key in last.get_variable_to_shape_map() if f"/{name}/" in f"/{key}"]
    shown = np.zeros(ROWS, bool)
    for slot in slots:
        shown |= (last.get_tensor(slot) != first.get_tensor(slot)).any(axis=1)
    distance = moved(prefix, name) / first.get_tensor(name).std()
    lost = distance[touched & ~shown]
    return [name, *map(str, (touched.sum(), (distance > 0).sum(), len(lost), (lost > 1e-4).sum())),
            f"{lost.max(initial=0):.1g}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    steps = parser.parse_args().steps
    tables = {**{name: table for name, table in optimizers().items() if table.partitions == 1},
              "lazy_adam": Table(lambda: LazyAdam(0.01)), "descent": Table(lambda: legacy.SGD(0.01))}
    touched = np.isin(np.arange(ROWS), ids_of(steps))
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for loss, share in {"sum": 1.0, "of 512": 1 / 512, "of 8192": 1 / 8192}.items():
        with tempfile.TemporaryDirectory() as folder:
            servable, prefix = train(Path(folder), tables, steps, share=share)
            left = left_of(servable, alone(prefix, Path(folder) / "alone"))
            for name in tables:
                known = left[name]
                said = (known.unknown.split(":")[0].split(" (")[0] if known.unknown
                        else f"{known.trained(0, ROWS).sum()} trained")
                cells = row(name, prefix, touched)
                print(f"| {' | '.join([cells[0], loss, *cells[1:], said])} |")


if __name__ == "__main__":
    main()
