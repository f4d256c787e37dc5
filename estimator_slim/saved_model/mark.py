"""The mark by which a slim servable is known: a collection of its own in its MetaGraph.

Only what carries it may be removed when its original is gone.
"""

from __future__ import annotations

from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.errors import SourceError
from estimator_slim.saved_model.reader import parse_saved_model

_KEY, _VERSION = "estimator_slim", 1


def mark(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    meta_graph.collection_def[_KEY].int64_list.value.append(_VERSION)


def is_marked(directory: str) -> bool:
    """True if `directory` is a SavedModel that estimator_slim wrote."""
    try:
        saved_model = parse_saved_model(directory)
    except SourceError:
        return False
    return any(_KEY in meta_graph.collection_def for meta_graph in saved_model.meta_graphs)
