"""What a servable is known by again: one text, which changes when any of its files does.

The tables are not read for it: the index of a checkpoint has the checksum of every tensor.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import tensorflow as tf

from estimator_slim.errors import SourceError
from estimator_slim.saved_model.files import check_folder
from estimator_slim.saved_model.reader import saved_model_file

_BLOCK = 1 << 20  # bytes that are read at once
_MOST = 1 << 30   # of a file: whatever is larger is damaged, or a vocabulary that tells itself by less


def fingerprint_of(directory: str) -> str:
    """SHA-256, in hexadecimal, of the names, sizes and contents of the files in a servable's folder.

    Of the data files of a checkpoint the content is left out: their checksums are in its index. Of any
    other file it is the first gibibyte.

    Raises:
      SourceError: it is no SavedModel, its folder has what no servable has (`check_folder`), or a file
        cannot be read.
    """
    found = hashlib.sha256()
    try:
        saved_model_file(directory)
        check_folder(directory)
        for name in sorted(_files(directory)):
            path = os.path.join(directory, name)
            found.update(f"{name}\0{tf.io.gfile.stat(path).length}\0".encode())
            if ".data-" not in os.path.basename(name):
                for block in _blocks(path):
                    found.update(block)
    except tf.errors.OpError as e:
        raise SourceError(f"{directory} cannot be read ({e.message}); check that the servable is there "
                          "and that this user may read it") from e
    return found.hexdigest()


def _files(directory: str) -> Iterator[str]:
    """The paths of all files in a folder, from there."""
    for folder, _, names in tf.io.gfile.walk(directory):
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), directory)


def _blocks(path: str) -> Iterator[bytes]:
    with tf.io.gfile.GFile(path, "rb") as file:
        for _ in range(_MOST // _BLOCK):
            block = file.read(_BLOCK)
            if not block:
                return
            yield block
