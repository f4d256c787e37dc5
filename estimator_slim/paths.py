"""Paths as people give them, and which of them TensorFlow can open and load from."""

from __future__ import annotations

import fnmatch
import os
from typing import Union

from estimator_slim.errors import EstimatorSlimError, OptionError

Path = Union[str, bytes, os.PathLike]


def as_text(path: Path, name: str) -> str:
    """The path as TensorFlow takes it, without slashes at its end. `name`: of the argument.

    Raises:
      OptionError: it is empty, or no UTF-8.
    """
    text = os.fsdecode(path)
    if not text:
        raise OptionError(f"{name}: expected a path, got an empty one")
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise OptionError(f"{name}: expected a path in UTF-8, since TensorFlow opens no other, got "
                          f"{ascii(text)}; rename the folder") from e
    return text.rstrip("/") or "/"


def has_content(path: str) -> bool:
    """True for a file that is there and not empty."""
    import tensorflow as tf  # takes seconds, and many paths are only read as text
    try:
        found = tf.io.gfile.stat(path)
    except tf.errors.OpError:
        return False
    return found.length > 0 and not found.is_directory


def require_loadable(directory: str, error: type[EstimatorSlimError]) -> None:
    """Raises `error` where TensorFlow finds no variables: it takes their path for a pattern.

    `best[1]` is the pattern of `best1`, and a backslash stands for what follows it; `*` and `?` also
    stand for themselves, and so does a `[` that is not closed.
    """
    if "\\" in directory or not all(fnmatch.fnmatchcase(name, name) for name in directory.split("/")):
        raise error(f"{directory}: TensorFlow takes [...] and \\ in a path for a pattern, and loads no "
                    "variables from there; rename the folder or give another")
