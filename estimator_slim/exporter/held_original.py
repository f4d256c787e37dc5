"""An original that is held while a child slims it, for the wrapped exporter may collect it meanwhile.

    export/best/1700000000                         the original
    export/best/temp-1700000000-<machine><random>  hard links of its files; to a server it is no version
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from estimator_slim.saved_model import remove_abandoned, temporary_folder


@contextlib.contextmanager
def held_original(original: str) -> Iterator[str]:
    """A directory with the files of an original, for the block; the original itself where links fail."""
    with contextlib.ExitStack() as stack:
        try:
            if "://" in original:
                raise OSError("it is remote")
            remove_abandoned(os.path.dirname(original))
            directory = stack.enter_context(temporary_folder(original))
            _link(original, directory)
        except (OSError, tf.errors.OpError):
            stack.close()
            directory = original
        yield directory


def _link(source: str, target: str) -> None:
    for folder, _, files in os.walk(source):
        there = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(there, exist_ok=True)
        for file in files:
            os.link(os.path.join(folder, file), os.path.join(there, file))
