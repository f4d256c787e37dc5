"""Paths as people give them, as TensorFlow reads them, and which of them it can load from.

    export/./best//1/   →  export/best/1       as TensorFlow cleans it, without a look at the disk
    link/../best        →  best                likewise, whatever `link` leads to
    file:///a/best      →  /a/best             a path of this machine, whatever host is named before it
    file:///link/../b   →  what the disk says  TensorFlow cleans no URL
    file:/a             →  file:/a             a folder named `file:`; a scheme ends with ://
    gs://bucket/best/   →  gs://bucket/best    other file systems read their paths themselves

So each path is read once, where it comes in, and behind that `://` in a path tells that it is not on
this machine's disks.
"""

from __future__ import annotations

import fnmatch
import os
import re
import uuid
from typing import Union

from estimator_slim.errors import EstimatorSlimError, OptionError

Path = Union[str, bytes, os.PathLike]

_SCHEME = re.compile("([a-zA-Z][0-9a-zA-Z.]*)://")  # TensorFlow's own rule
_UP = ".."


def unfinished(path: str) -> str:
    """A name beside the file `path` for what is not whole yet; whoever else writes it has another."""
    return f"{path}.{uuid.uuid4().hex[:12]}.part"


def as_text(path: Path, name: str) -> str:
    """The path in its one spelling, without slashes at its end. `name`: of the argument.

    Raises:
      OptionError: it is empty, no UTF-8, or a `file://` without a path.
    """
    text = os.fsdecode(path)
    if not text:
        raise OptionError(f"{name}: expected a path, got an empty one")
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise OptionError(f"{name}: expected a path in UTF-8, since TensorFlow opens no other, got "
                          f"{ascii(text)}; rename the folder") from e
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _cleaned(text)
    if scheme[1] == "file":
        return _on_disk(text, text[scheme.end():], name)
    return scheme[0] + text[scheme.end():].rstrip("/")


def _cleaned(text: str) -> str:
    return re.sub("^//", "/", os.path.normpath(text))  # normpath leaves two slashes in front


def _on_disk(url: str, rest: str, name: str) -> str:
    """The path in a `file://` URL, of which `rest` is what stands behind these letters."""
    _, slash, path = rest.partition("/")
    if not slash:
        raise OptionError(f"{name}: expected a path of this machine behind file://, as in "
                          f"file:///export/best/1, got {url!r}")
    parts = path.split("/")
    count = len(parts) - parts[::-1].index(_UP) if _UP in parts else 0
    return _cleaned("/".join([os.path.realpath("/" + "/".join(parts[:count])), *parts[count:]]))


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
