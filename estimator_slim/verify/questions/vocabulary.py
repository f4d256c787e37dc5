"""The keys of a lookup table, where its initialiser has them: in the graph, an asset, the checkpoint."""

from __future__ import annotations

import collections
import itertools
import os
from collections.abc import Iterator
from typing import Union

import numpy as np
import tensorflow as tf

from estimator_slim.checkpoint import CheckpointReader
from estimator_slim.graph import Graph, NodeDef, attribute, names
from estimator_slim.saved_model import Servable

Keys = tuple[Union[bytes, int], ...]
_FROM_FILE = ("InitializeTableFromTextFileV2", "InitializeTableFromTextFile")
_FROM_TENSORS = ("InitializeTableV2", "InitializeTable", "LookupTableImportV2", "LookupTableImport")
_WHOLE_LINE, _LINE_NUMBER = -2, -1
_MOST_LINES = 100_000


class Vocabularies:
    """The tables of a servable, each read when it is asked for."""

    def __init__(self, servable: Servable):
        self._servable = servable
        self._keys: dict[str, Keys] = {}
        self._fillers = {servable.graph.source(node.input[0]): node
                         for node in servable.graph.nodes.values()
                         if node.op in _FROM_FILE + _FROM_TENSORS}

    def keys(self, table: str) -> Keys:
        """The keys of the table behind the handle `table`, the first 100,000 of a file's and the last.

        () where its initialiser computes them.
        """
        handle = self._servable.graph.source(table)
        if handle not in self._keys:
            node = self._fillers.get(handle)
            self._keys[handle] = () if node is None else self._read(node)
        return self._keys[handle]

    def of_words(self) -> list[Keys]:
        """The keys of each table whose keys are strings."""
        found = map(self.keys, self._fillers)
        return [keys for keys in found if keys and isinstance(keys[0], bytes)]

    def _read(self, node: NodeDef) -> Keys:
        if node.op in _FROM_FILE:
            path = _asset(self._servable, node.input[1])
            return tuple(_keys_of_lines(node, path)) if path and tf.io.gfile.exists(path) else ()
        keys = self._servable.graph.constant(node.input[1])
        keys = _restored(self._servable, node.input[1]) if keys is None else keys
        return () if keys is None else tuple(np.ravel(keys).tolist())


def _restored(servable: Servable, tensor: str) -> np.ndarray | None:
    """What a RestoreV2 reads for `tensor` from the checkpoint, where a mutable table's entries are."""
    name, port = names.split(servable.graph.source(tensor))
    node = servable.graph.nodes[name]
    if node.op != "RestoreV2" or servable.checkpoint is None:
        return None
    stored = np.ravel(servable.graph.constant(node.input[1]))[port]
    return CheckpointReader(servable.checkpoint).value(tf.compat.as_str(stored))


def _asset(servable: Servable, tensor: str) -> str | None:
    """The file that the asset tensor `tensor` stands for."""
    graph: Graph = servable.graph
    node = names.node_of(graph.source(tensor))
    for asset in graph.interface.assets:
        if names.node_of(asset.tensor_info.name) == node:
            return os.path.join(servable.directory, "assets", asset.filename)
    return None


def _keys_of_lines(node: NodeDef, path: str) -> Iterator[bytes | int]:
    column, delimiter = attribute(node, "key_index").i, attribute(node, "delimiter").s or b"\t"
    size = attribute(node, "vocab_size").i
    limit = size if size > 0 else None
    with tf.io.gfile.GFile(path, "rb") as file:
        for number, line in _first_and_last(itertools.islice(enumerate(file), limit)):
            if column == _LINE_NUMBER:
                yield number
            elif column == _WHOLE_LINE:
                yield line.rstrip(b"\n")
            else:
                yield from line.rstrip(b"\n").split(delimiter)[column:column + 1]


def _first_and_last(lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    yield from itertools.islice(lines, _MOST_LINES)
    yield from collections.deque(lines, maxlen=1)
