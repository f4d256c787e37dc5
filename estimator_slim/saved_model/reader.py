"""A servable on disk → its graph, interface and variables, nothing large read.

Sources: saved_model.pb or saved_model.pbtxt; the layout is that of tensorflow/cc/saved_model.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf
from google.protobuf import message, text_format
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from estimator_slim.errors import SourceError
from estimator_slim.graph import names
from estimator_slim.graph.graph import Graph
from estimator_slim.graph.interface import INIT_SIGNATURE, Interface

_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")


@dataclass(frozen=True)
class Servable:
    """One MetaGraph of a SavedModel.

    Attributes:
      directory: of the SavedModel.
      meta_graph: as read; its graph_def is the unfrozen graph.
      graph: the same graph, ready to be frozen; it has no weights yet.
      checkpoint: the prefix of its variables, or None where it has none.
      others: the MetaGraphs beside it.
    """

    directory: str
    meta_graph: meta_graph_pb2.MetaGraphDef
    graph: Graph
    checkpoint: str | None
    others: tuple[meta_graph_pb2.MetaGraphDef, ...] = ()


def read_servable(directory: str, tags: Sequence[str] = ("serve",)) -> Servable:
    """Reads the MetaGraph tagged exactly `tags` of the SavedModel in `directory`.

    Raises:
      SourceError: it is no SavedModel, cannot be parsed, has no such MetaGraph, or names nodes that
        are not in it.
    """
    saved_model = _parse(directory)
    meta_graph = _choose(saved_model, tags, directory)
    graph = Graph(nodes=_nodes(meta_graph, directory), interface=_interface(meta_graph),
                  library=meta_graph.graph_def.library, versions=meta_graph.graph_def.versions)
    missing = [name for name in graph.interface.roots() if name not in graph.nodes]
    if missing:
        raise SourceError(f"{directory}: its signatures, init op or assets name the node "
                          f"{missing[0]!r}, which is not in the graph; export it again")
    prefix = os.path.join(directory, "variables", "variables")
    has_variables = tf.io.gfile.exists(prefix + ".index")
    others = tuple(m for m in saved_model.meta_graphs if set(m.meta_info_def.tags) != set(tags))
    return Servable(directory, meta_graph, graph, prefix if has_variables else None, others)


def _parse(directory: str) -> saved_model_pb2.SavedModel:
    binary, text = (os.path.join(directory, f) for f in ("saved_model.pb", "saved_model.pbtxt"))
    saved_model = saved_model_pb2.SavedModel()
    try:
        if tf.io.gfile.exists(binary):
            with tf.io.gfile.GFile(binary, "rb") as f:
                saved_model.ParseFromString(f.read())
        elif tf.io.gfile.exists(text):
            with tf.io.gfile.GFile(text, "r") as f:
                text_format.Parse(f.read(), saved_model)
        else:
            raise SourceError(f"{directory} is no SavedModel: expected saved_model.pb or "
                              "saved_model.pbtxt in it; give the folder of one exported version")
    except (message.DecodeError, text_format.ParseError, UnicodeDecodeError) as e:
        raise SourceError(f"{directory}: its saved_model file is damaged ({e}); "
                          "export it again") from e
    except tf.errors.OpError as e:
        raise SourceError(f"{directory}: its saved_model file cannot be read: {e.message}") from e
    return saved_model


def _choose(saved_model: saved_model_pb2.SavedModel, tags: Sequence[str],
            directory: str) -> meta_graph_pb2.MetaGraphDef:
    for meta_graph in saved_model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == set(tags):
            return meta_graph
    available = [sorted(m.meta_info_def.tags) for m in saved_model.meta_graphs]
    raise SourceError(f"{directory} has no MetaGraph tagged {sorted(tags)}, only {available}; "
                      "pass one of these as tags")


def _nodes(meta_graph: meta_graph_pb2.MetaGraphDef, directory: str) -> dict:
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    if len(nodes) != len(meta_graph.graph_def.node):
        raise SourceError(f"{directory}: two nodes of its graph have the same name; "
                          "export it again")
    for node in nodes.values():
        for name in node.input:
            if names.node_of(name) not in nodes:
                raise SourceError(f"{directory}: node {node.name!r} reads {name!r}, which is not "
                                  "in the graph; export it again")
    return nodes


def _interface(meta_graph: meta_graph_pb2.MetaGraphDef) -> Interface:
    signatures = {k: v for k, v in meta_graph.signature_def.items()
                  if k != "__saved_model_train_op"}
    init_ops = [node for key in _INIT_COLLECTIONS for node in _collection(meta_graph, key)]
    if INIT_SIGNATURE in signatures:
        init_ops += [i.name for i in signatures[INIT_SIGNATURE].outputs.values()]
    return Interface(
        signatures=signatures,
        init_ops=tuple(names.node_of(name) for name in dict.fromkeys(init_ops)),
        tables=tuple(names.node_of(n) for n in _collection(meta_graph, "table_initializer")),
        assets=tuple(_assets(meta_graph)))


def _collection(meta_graph: meta_graph_pb2.MetaGraphDef, key: str) -> list[str]:
    return list(meta_graph.collection_def[key].node_list.value
                if key in meta_graph.collection_def else ())


def _assets(meta_graph: meta_graph_pb2.MetaGraphDef) -> list[meta_graph_pb2.AssetFileDef]:
    if meta_graph.asset_file_def or "saved_model_assets" not in meta_graph.collection_def:
        return list(meta_graph.asset_file_def)
    assets = []
    for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
        asset = meta_graph_pb2.AssetFileDef()
        packed.Unpack(asset)
        assets.append(asset)
    return assets
