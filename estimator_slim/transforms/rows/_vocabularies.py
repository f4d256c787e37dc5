"""Words that were never trained, answered like words that are out of the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from estimator_slim.graph import Consumers, Graph, NodeDef, Table, attributes, names
from estimator_slim.transforms.rows.index import FINDS, FORGOTTEN, add_list, add_search, source_of

_MOVED = ("Reshape", "Identity", "Cast", "Squeeze", "ExpandDims", "Unique", "SparseFillEmptyRows",
          "SelectV2", "Select", "GatherV2")
_ASKED = ("GreaterEqual", "NotEqual", "Equal", "Shape", "Size", "ZerosLike")


def forget_untrained_words(graph: Graph, kept: Sequence[tuple[Table, np.ndarray]]) -> None:
    """Makes vocabularies answer for words of no trained row as for words that they do not have.

        Before: LookupTableFindV2(words, -1) ─ ids
        After:  LookupTableFindV2(words, -1) ─ SelectV2(trained, ids, -1) ─ ids

    Where several tables read the ids of one vocabulary, a word counts as trained if it is in one. Where
    anything but the lookups of `kept` tables reads them, they stay.
    """
    trained: dict[str, np.ndarray] = {}
    row_count = max((table.weight.row_count for table, _ in kept), default=0)
    lookups = {node.name for table, _ in kept for node in table.lookups}
    for table, ids in kept:
        for lookup in table.lookups:
            source = source_of(graph, lookup.input[1])
            if graph.nodes[names.node_of(source)].op in FINDS:
                trained[source] = np.union1d(trained.get(source, ids), ids)
    consumers = Consumers(graph)
    for source, ids in trained.items():
        if len(ids) and _only_looked_up(consumers, source, lookups):
            _forget(graph, consumers, source, ids, row_count)


def _only_looked_up(consumers: Consumers, tensor: str, lookups: set[str]) -> bool:
    """True if the values of `tensor` reach only these lookups, as ids, and questions about them."""
    todo, seen = [tensor], set()
    while todo:
        for node, index in consumers.of(todo.pop()):
            if node.name in lookups and index == 1 or node.op in _ASKED:
                continue
            if node.op not in _MOVED or node.name in lookups:
                return False
            if node.name not in seen:
                seen.add(node.name)
                todo.append(names.tensor(node.name, int(node.op == "SparseFillEmptyRows")))
    return True


def _forget(graph: Graph, consumers: Consumers, source: str, ids: np.ndarray, row_count: int) -> None:
    find: NodeDef = graph.nodes[names.node_of(source)]
    readers = consumers.of(source)
    name = f"{find.name}/trained"
    listed = add_list(graph, f"{name}/ids", ids, row_count, tf.int64)
    found, _ = add_search(graph, name, source, listed, tf.int64, is_flat=False)
    known = graph.add("SelectV2", f"{find.name}/known", [found, source, find.input[2]], T=tf.int64)
    attributes.put(graph.nodes[known], FORGOTTEN, True)
    for node, index in readers:
        node.input[index] = known
