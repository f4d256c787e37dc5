"""Damaging servables, and what a refusal must be: an error with a message, and nothing written."""

from __future__ import annotations

import contextlib
import os
import stat
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorflow.core.protobuf import saved_model_pb2

from estimator_slim import EstimatorSlimError, SourceError, optimize_saved_model
from estimator_slim.checkpoint.table import read_table, write_table

MEMORY = 128 << 20  # what a refusal may take, as Python and numpy count it


def edit(source: Path, change: Callable[[Any], Any]) -> None:
    """Lets `change` edit the only MetaGraph of a SavedModel."""
    path = source / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(saved_model.meta_graphs[0])
    path.write_bytes(saved_model.SerializeToString())


def node_of(meta_graph: Any, op: str) -> Any:
    """The first node of an operation."""
    return next(node for node in meta_graph.graph_def.node if node.op == op)


def edit_index(prefix: Path, change: Callable[[dict[bytes, bytes]], Any]) -> None:
    """Lets `change` edit the pairs of a checkpoint's index, whose checksums are then right again."""
    path = Path(f"{prefix}.index")
    pairs = dict(read_table(path.read_bytes(), str(path)))
    change(pairs)
    path.write_bytes(write_table(sorted(pairs.items())))


def listing(folder: Path) -> dict[str, tuple]:
    """Everything below a folder, looked at from outside: kind, size, time of the last change, target."""
    found = {}
    for path, folders, files in os.walk(folder):
        for name in folders + files:
            full = os.path.join(path, name)
            seen = os.lstat(full)
            is_link = stat.S_ISLNK(seen.st_mode)
            found[os.path.relpath(full, folder)] = (
                stat.S_IFMT(seen.st_mode), 0 if stat.S_ISDIR(seen.st_mode) else seen.st_size,
                0 if stat.S_ISDIR(seen.st_mode) else seen.st_mtime_ns,
                os.readlink(full) if is_link else "")
    return found


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """The block takes no more than MEMORY."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY


def assert_refused(source: Path, message: str, *, error: type = SourceError, transforms: Any = "",
                   **options: Any) -> str:
    """optimize_saved_model refuses `source`, and leaves every file in the folder around it as it was.

    Returns the message, in which `message`, a pattern, is found.
    """
    before = listing(source.parent)
    with pytest.raises(error, match=message) as raised, bounded_memory():
        optimize_saved_model(source, source.parent / "slim", transforms, **options)
    assert isinstance(raised.value, EstimatorSlimError)
    assert listing(source.parent) == before
    return str(raised.value)
