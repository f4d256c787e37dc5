"""Many small servables, made in the time of one: models/m00/export/best/1700000000 and so on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.by_hand import servable, v1, variable

PATTERN = "models/*/export/best/*"
VERSION = "1700000000"


def adding() -> Any:
    x = v1.placeholder(tf.float32, [None, 16], "x")
    return {"x": x}, {"y": tf.matmul(x, variable("kernel", np.linspace(-1, 1, 512, dtype=np.float32)
                                                 .reshape(16, 32)))}


def make(folder: Path, count: int) -> list[Path]:
    """The servables, which are equal."""
    made = servable(folder / "made", adding)
    models = [folder / f"models/m{number:02}/export/best" / VERSION for number in range(count)]
    for model in models:
        shutil.copytree(made, model)
    return models


def break_one(model: Path) -> None:
    """Makes a servable one that cannot be read."""
    (model / "saved_model.pb").write_bytes(b"\xff")
