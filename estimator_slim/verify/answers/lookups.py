"""The large variables of a servable of which requests read nothing but rows, by their ids.

    VariableV2 ─ Identity ──────────┐
    VarHandleOp ─ ReadVariableOp ───┴─ GatherV2(ids)        VarHandleOp ─ ResourceGather(ids)

Of any other, such as one that a MatMul reads, or that a loop or a function gets by its handle, all of it
has to be in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.checkpoint import CheckpointReader
from estimator_slim.freezing import ASSIGN_OPS, saved_variables
from estimator_slim.graph import (
    VARIABLE_OPS,
    Consumers,
    Graph,
    NodeDef,
    Weight,
    attribute,
    gathers_rows,
    names,
    shared_name,
)
from estimator_slim.saved_model import interface_of

_PASS_ON = ("Identity", "ReadVariableOp")


@dataclass(frozen=True)
class LookedUp:
    """A variable that is only looked up.

    Attributes:
      name: its node.
      weight: its value, in the checkpoint.
      lookups: the nodes that gather its rows.
      reads: the names of the nodes between it and these.
      restoring: the names of the nodes that assign what is restored, the last one first.
      restored: the tensor of the RestoreV2 that they begin at.
    """

    name: str
    weight: Weight
    lookups: tuple[NodeDef, ...]
    reads: frozenset[str]
    restoring: tuple[str, ...]
    restored: str


def prefix_of(directory: str) -> str | None:
    """The prefix of the checkpoint with the variables of a servable; None where it has none."""
    prefix = os.path.join(directory, "variables", "variables")
    return prefix if tf.io.gfile.exists(f"{prefix}.index") else None


def graph_of(meta_graph: meta_graph_pb2.MetaGraphDef) -> Graph:
    """Its graph; the nodes are those of the MetaGraph, and not copies."""
    graph_def = meta_graph.graph_def
    return Graph(nodes={node.name: node for node in graph_def.node}, interface=interface_of(meta_graph),
                 library=graph_def.library, versions=graph_def.versions)


def looked_up(graph: Graph, meta_graph: meta_graph_pb2.MetaGraphDef, prefix: str,
              least: int) -> list[LookedUp]:
    """Those of at least so many bytes.

    Args:
      graph: as of `graph_of`.
      meta_graph: whose graph that is.
      prefix: of the checkpoint with its variables.
      least: bytes.

    Raises:
      SourceError: the checkpoint cannot be read, or is not that of the graph.
    """
    reader = CheckpointReader(prefix)
    search = _Search(graph, meta_graph)
    saved = saved_variables(graph, meta_graph.saver_def, reader)
    found = (search.found(name, weight) for name, weight in saved.items()
             if weight.byte_count >= least and weight.rows_at is not None and weight.shape)
    return [one for one in found if one is not None]


class _Search:
    """Finds who reads a variable, in one graph."""

    def __init__(self, graph: Graph, meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
        self._graph, self._consumers = graph, Consumers(graph)
        self._asked = graph.ancestors(graph.interface.roots())
        self._restoring = graph.ancestors([names.node_of(meta_graph.saver_def.restore_op_name)])
        self._named = {*map(names.node_of, graph.interface.outputs()),
                       *map(names.node_of, graph.interface.fed)}
        shared = [shared_name(node) for node in graph.nodes.values() if node.op in VARIABLE_OPS]
        self._several = {name for name in shared if shared.count(name) > 1} if shared else set()

    def found(self, name: str, weight: Weight) -> LookedUp | None:
        """What there is to know of a variable; None where it is not only looked up."""
        read, restored = self._read(name), self._restored(name)
        if read is None or restored is None or shared_name(self._graph.nodes[name]) in self._several:
            return None
        return LookedUp(name, weight, tuple(read[0]), frozenset(read[1]), *restored)

    def _read(self, name: str) -> tuple[list[NodeDef], set[str]] | None:
        """The lookups of what requests read, and the names of what only passes it on to them."""
        lookups: list[NodeDef] = []
        reads, todo = {name}, [name]
        while todo:
            for node, index in self._consumers.of_node(todo.pop()):
                if node.name not in self._asked or node.name in reads:
                    continue
                if node.op in _PASS_ON and len(names.data_inputs(node)) == 1:
                    reads.add(node.name)
                    todo.append(node.name)
                elif index == 0 and self._gathers(node):
                    lookups.append(node)
                else:
                    return None
        return None if reads & self._named else (lookups, reads)

    def _gathers(self, node: NodeDef) -> bool:
        if node.op == "ResourceGather":
            return not attribute(node, "batch_dims").i
        return gathers_rows(self._graph, node)

    def _restored(self, name: str) -> tuple[tuple[str, ...], str] | None:
        """The nodes that fill it with what is restored, where they do nothing else, and that tensor."""
        assigning = [node for node, index in self._consumers.of_node(name)
                     if node.name in self._restoring and node.op in ASSIGN_OPS and index == 0]
        if len(assigning) != 1 or self._consumers.of_node(assigning[0].name):
            return None
        *chain, restored = self._back(assigning[0])
        alone = all(len(self._consumers.of(tensor)) == 1 for tensor in (*chain, restored))
        is_restore = self._graph.nodes[names.node_of(restored)].op == "RestoreV2"
        return ((assigning[0].name, *chain), restored) if alone and is_restore else None

    def _back(self, assigning: NodeDef) -> Iterator[str]:
        """The tensors from what it assigns back to what that is a copy of."""
        tensor = names.canonical(assigning.input[1])
        yield tensor
        while (node := self._graph.nodes[names.node_of(tensor)]).op == "Identity":
            tensor = names.canonical(node.input[0])
            yield tensor
