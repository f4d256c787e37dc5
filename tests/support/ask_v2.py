"""Asks servables as TensorFlow 2 code would, by tf.saved_model.load, in a process of its own.

    python -m tests.support.ask_v2 < (directories, request).pickle > answers.pickle
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.processes import answered


def ask_v2(directory: str, request: Any) -> dict:
    """(signature, output name) → the answer to `request`, which is fed to each input."""
    loaded = tf.saved_model.load(directory)
    answers = {}
    for name, signature in loaded.signatures.items():
        inputs = signature.structured_input_signature[1]
        outputs = signature(**{key: tf.constant(list(request)) for key in inputs})
        answers.update({(name, key): value.numpy() for key, value in outputs.items()})
    return answers


def ask_v2_fresh(directories: Sequence[str], request: np.ndarray) -> dict[str, dict]:
    """Directory → `ask_v2` of it, all in one fresh process."""
    return answered("tests.support.ask_v2", (list(directories), request))


def main() -> None:
    directories, request = pickle.load(sys.stdin.buffer)
    answers = {directory: ask_v2(directory, request) for directory in directories}
    sys.stdout.buffer.write(pickle.dumps(answers))


if __name__ == "__main__":
    main()
