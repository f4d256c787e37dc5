"""A copy of an original, where a slim servable should be and none can be made.

It is the original file by file, with a note beside its warm-up requests, where no server looks for it:
by the note a copy is known as ours, and goes with its original.
"""

from __future__ import annotations

import os

import tensorflow as tf

from estimator_slim.saved_model.files import check_folder, copy_file
from estimator_slim.saved_model.publish import published

_NOTE = "assets.extra/estimator_slim.txt"


def publish_copy(original: str, directory: str, why: str) -> None:
    """Publishes a copy of the servable in `original` as `directory`. `why`: the note says it.

    Raises:
      SourceError: the original cannot be read.
      DestinationError: as `published` raises it.
    """
    check_folder(original)
    with published(directory) as copy:
        for folder, _, names in tf.io.gfile.walk(original):
            inside = os.path.relpath(folder, original)
            target = copy if inside == os.curdir else os.path.join(copy, inside)
            tf.io.gfile.makedirs(target)
            for name in names:
                copy_file(os.path.join(folder, name), os.path.join(target, name))
        tf.io.gfile.makedirs(os.path.dirname(os.path.join(copy, _NOTE)))
        with tf.io.gfile.GFile(os.path.join(copy, _NOTE), "w") as file:
            file.write(f"estimator_slim copied {original} to here as it is: {why}\n")


def is_copy(directory: str) -> bool:
    """Whether `publish_copy` wrote it."""
    return bool(tf.io.gfile.exists(os.path.join(directory, _NOTE)))
