"""A servable once more with another graph: its variables and assets are the same files."""

from __future__ import annotations

import os
from collections.abc import Callable

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

_GRAPH = "saved_model.pb"


def rewritten(directory: str, target: str, edit: Callable[[tf.compat.v1.GraphDef], bool]) -> bool:
    """Writes the servable in `directory` to the existing folder `target` with an edited first graph.

    Other files are linked where the file system can, and copied where it cannot.

    Args:
      directory: of a servable that this package wrote.
      target: an empty folder beside it.
      edit: edits the graph in place; False where there is nothing to edit.

    Returns:
      What `edit` did; where that is False, nothing is written.
    """
    with tf.io.gfile.GFile(os.path.join(directory, _GRAPH), "rb") as file:
        saved_model = saved_model_pb2.SavedModel.FromString(file.read())
    if not edit(saved_model.meta_graphs[0].graph_def):
        return False
    for folder, _, files in tf.io.gfile.walk(directory):
        to = os.path.normpath(os.path.join(target, os.path.relpath(folder, directory)))
        tf.io.gfile.makedirs(to)
        for name in files:
            _link(os.path.join(folder, name), os.path.join(to, name))
    graph = os.path.join(target, _GRAPH)
    tf.io.gfile.remove(graph)
    with tf.io.gfile.GFile(graph, "wb") as file:
        file.write(saved_model.SerializeToString(deterministic=True))
    return True


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        tf.io.gfile.copy(source, target)
