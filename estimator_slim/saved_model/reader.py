"""A servable on disk → its graph, its interface and where its variables are; nothing large is read.

It is read from saved_model.pb or saved_model.pbtxt; the layout is that of tensorflow/cc/saved_model.

A slim servable is known by its mark, a collection of its own in its MetaGraph. Only what carries the
mark may be removed when its original is gone.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf
from google.protobuf import message, text_format
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from estimator_slim.errors import SourceError, TransformError
from estimator_slim.graph import Graph
from estimator_slim.saved_model.files import check_folder
from estimator_slim.saved_model.meta_graph import interface_of, nothing_to_ask, required_names
from estimator_slim.saved_model.soundness import faults, unknown_operations, unset_in_functions
from estimator_slim.whereabouts import GRAPH_FILES, require_reachable, require_servable

_MOST_BYTES = 2**31 - 1  # of a proto
_KEY, _VERSION = "estimator_slim", 1


@dataclass(frozen=True)
class Servable:
    """One MetaGraph of a SavedModel.

    Attributes:
      directory: of the SavedModel.
      meta_graph: as read; its graph_def is the unfrozen graph.
      graph: the same graph, ready to be frozen; it has no weights yet.
      checkpoint: the prefix of its variables, or None where it has none.
      others: the MetaGraphs beside it.
      is_slim: estimator_slim wrote it.
    """

    directory: str
    meta_graph: meta_graph_pb2.MetaGraphDef
    graph: Graph
    checkpoint: str | None
    others: tuple[meta_graph_pb2.MetaGraphDef, ...] = ()
    is_slim: bool = False


def read_servable(directory: str, tags: Sequence[str] = ("serve",)) -> Servable:
    """Reads the MetaGraph tagged exactly `tags` of the SavedModel in `directory`.

    Raises:
      SourceError: it is no SavedModel, leads out of its folder, cannot be parsed, has no such
        MetaGraph, or one that is not sound (`soundness.py`) or that nothing can be asked of.
    """
    saved_model = parse_saved_model(directory)
    meta_graph = _choose(saved_model, tags, directory)
    prefix = os.path.join(directory, "variables", "variables")
    has_variables = tf.io.gfile.exists(prefix + ".index")
    if not has_variables and tf.io.gfile.exists(prefix):
        raise SourceError(f"{prefix} is a checkpoint of format V1, expected one of format V2, which has "
                          "variables.index; export it again with a Saver whose write_version is V2")
    _require_sound(meta_graph, directory, has_variables)
    lacking = nothing_to_ask(meta_graph)
    if lacking:
        raise SourceError(f"{directory}: {lacking}")
    graph = Graph(nodes={node.name: node for node in meta_graph.graph_def.node},
                  interface=interface_of(meta_graph), library=meta_graph.graph_def.library,
                  versions=meta_graph.graph_def.versions)
    others = tuple(m for m in saved_model.meta_graphs if set(m.meta_info_def.tags) != set(tags))
    return Servable(directory, meta_graph, graph, prefix if has_variables else None, others,
                    is_slim=_has_mark(saved_model))


def require_importable(directory: str, tags: Sequence[str]) -> None:
    """Has TensorFlow import the graph and each function of a slim servable, and run none of it.

    Raises:
      TransformError: what was made of the original is not what a server loads.
    """
    meta_graph = meta_graph_of(directory, tags)
    promised = list(required_names(meta_graph, restored=True))
    for fault in itertools.chain(unset_in_functions(meta_graph.graph_def.library),
                                 faults(meta_graph.graph_def, promised)):
        raise TransformError("the slim servable is not published, since it could not be loaded: "
                             f"{fault}. Leave out the transform that was added last, and report it")


def meta_graph_of(directory: str, tags: Sequence[str]) -> meta_graph_pb2.MetaGraphDef:
    """The MetaGraph tagged exactly `tags`, as it is; SourceError where it cannot be read."""
    return _choose(parse_saved_model(directory), tags, directory)


def parse_saved_model(directory: str) -> saved_model_pb2.SavedModel:
    """The SavedModel in `directory`, as it is. Raises SourceError if there is none, or a damaged one."""
    saved_model = saved_model_pb2.SavedModel()
    require_reachable(directory, SourceError)
    try:
        path = saved_model_file(directory)
        check_folder(directory)
        content = _content(path)
        if path.endswith(".pb"):
            saved_model.ParseFromString(content)
        else:
            text_format.Parse(content.decode(), saved_model)
    except (message.DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError) as e:
        raise SourceError(f"{directory}: its saved_model file is damaged ({e}); "
                          "export it again") from e
    except tf.errors.OpError as e:
        raise SourceError(f"{directory}: its saved_model file cannot be read ({e.message}); check "
                          "that the servable is there and that this user may read it") from e
    return saved_model


def saved_model_file(directory: str) -> str:
    """The path of what makes a folder a SavedModel. Raises SourceError if there is none."""
    path = graph_file(directory)
    if path:
        return path
    require_servable(directory)
    raise SourceError(f"{directory} appears while it is read; export first")


def graph_file(directory: str) -> str | None:
    """The path of what makes a folder a SavedModel; None where there is none.

    Raises:
      tf.errors.OpError: that cannot be told.
    """
    paths = (os.path.join(directory, name) for name in GRAPH_FILES)
    return next((path for path in paths if tf.io.gfile.exists(path)), None)


def is_marked(directory: str) -> bool:
    """True if `directory` is a SavedModel that estimator_slim wrote."""
    try:
        saved_model = parse_saved_model(directory)
    except SourceError:
        return False
    return _has_mark(saved_model)


def mark(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """Makes it known that estimator_slim wrote `meta_graph`."""
    meta_graph.collection_def[_KEY].int64_list.value.append(_VERSION)


def _content(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        if file.size() > _MOST_BYTES:
            raise SourceError(f"{path} has {file.size():,} bytes; expected a SavedModel's graph, which "
                              f"holds at most {_MOST_BYTES:,}. Export it again")
        return file.read()


def _choose(saved_model: saved_model_pb2.SavedModel, tags: Sequence[str],
            directory: str) -> meta_graph_pb2.MetaGraphDef:
    for meta_graph in saved_model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == set(tags):
            return meta_graph
    there = [f"tags={sorted(m.meta_info_def.tags)}" for m in saved_model.meta_graphs]
    raise SourceError(f"{directory} has no MetaGraph tagged {sorted(tags)}; "
                      + (f"give {' or '.join(there)}, which it has" if there
                         else "it has none at all; export it again"))


def _require_sound(meta_graph: meta_graph_pb2.MetaGraphDef, directory: str, restored: bool) -> None:
    try:
        promised = list(required_names(meta_graph, restored=restored))
    except ValueError as e:
        raise SourceError(f"{directory}: its list of assets is damaged ({e}); export it again") from e
    for fault in unknown_operations(meta_graph.graph_def):
        raise SourceError(f"{directory}: {fault}")
    for fault in faults(meta_graph.graph_def, promised):
        raise SourceError(f"{directory}: {fault}; export it again")


def _has_mark(saved_model: saved_model_pb2.SavedModel) -> bool:
    return any(_KEY in meta_graph.collection_def for meta_graph in saved_model.meta_graphs)
