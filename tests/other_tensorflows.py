"""Servers are newer or older than the training: do slim servables of all test models answer there?

    python -m tests.other_tensorflows make DIR    # with the TensorFlow that trains, and estimator_slim
    python -m tests.other_tensorflows ask DIR     # with another one, which need not have Estimators

`ask` asks each original and its slim servable the same, prints a line for each that differs, and ends
with 1 if there is one. What that TensorFlow cannot load of the originals is counted apart.
"""

from __future__ import annotations

import pickle
import shutil
import sys
import tempfile
from pathlib import Path

import tensorflow as tf

from tests.support.alike import assert_alike, nearly
from tests.support.ask import ask

SHARE = 0.05  # the largest error that verification allows the default list, of an output's range


def make(directory: Path) -> None:
    """Exports every test model below `directory`, with its slim servable and what to ask."""
    from estimator_slim import optimize_saved_model
    from tests.support.models import MODELS

    for name, model in MODELS.items():
        place = directory / name
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(model.build(folder), place / "original")
        optimize_saved_model(place / "original", place / "slim", report="off", verify="off")
        (place / "requests").write_bytes(pickle.dumps(model.requests, protocol=4))


def asked(directory: Path) -> int:
    """Asks all that `make` made; returns how many slim servables do not answer as their originals."""
    places = sorted(path.parent for path in directory.glob("*/requests"))
    unloadable, different = [], []
    for place in places:
        requests = pickle.loads((place / "requests").read_bytes())
        try:
            expected = ask(str(place / "original"), requests)
        except (tf.errors.OpError, ValueError, TypeError, KeyError) as e:
            unloadable.append(place.name)
            print(f"{place.name}: the original does not load: {str(e).splitlines()[0][:150]}")
            continue
        try:
            assert_alike(ask(str(place / "slim"), requests), expected, **nearly(SHARE))
        except Exception as e:
            different.append(place.name)
            print(f"{place.name}: {type(e).__name__}: {str(e)[:500]}")
    print(f"TensorFlow {tf.__version__}: {len(places)} servables, {len(unloadable)} originals do not "
          f"load, {len(different)} slim ones do not answer as their originals")
    return len(different) if places else 1


if __name__ == "__main__":
    command, path = sys.argv[1:]
    sys.exit({"make": make, "ask": asked}[command](Path(path)))
