"""A servable whose large tables stay in their files: a request reads the rows that it looks up.

    Before: variable ─ GatherV2(ids) ─ rows
    After:  ids ─ PyFunc, which reads these rows ─ Reshape(shape of ids + shape of a row) ─ rows

What is left to restore is everything else. The answers are the same, bit by bit; and what asking takes
of memory follows the questions, and not the tables. A table that is read in any other way stays as it
is (`lookups.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.graph import Graph, NodeDef, Weight, attribute, attributes, names
from estimator_slim.verify.answers.lookups import LookedUp, graph_of, looked_up


def leave_in_files(meta_graph: meta_graph_pb2.MetaGraphDef, prefix: str, least: int) -> list[Any]:
    """Edits a MetaGraph so that tables of at least `least` bytes are not restored when it is loaded.

    Args:
      meta_graph: edited in place.
      prefix: of the checkpoint with its variables.
      least: bytes.

    Returns:
      What has to be kept as long as the loaded graph is run.

    Raises:
      SourceError: the checkpoint cannot be read, or is not that of the graph.
    """
    graph = graph_of(meta_graph)
    tables = looked_up(graph, meta_graph, prefix, least)
    kept = [_read_rows(graph, lookup, table.weight) for table in tables for lookup in table.lookups]
    _wait_for_none(graph, {name for table in tables for name in table.reads})
    _restore_the_rest(graph, tables)
    if tables:
        meta_graph.graph_def.CopyFrom(graph.graph_def())
    return kept


def _read_rows(graph: Graph, lookup: NodeDef, weight: Weight) -> Any:
    """Makes a lookup read its rows by a function of this process; returns what keeps that."""
    name, ids = lookup.name, lookup.input[1]
    id_type = attributes.dtype(lookup, "Tindices")
    token, kept = _registered(_reader(weight), id_type, weight.dtype)
    rows = graph.add("PyFunc", f"{name}/from_file", [ids, *names.control_inputs(lookup)],
                     token=token, Tin=[id_type], Tout=[weight.dtype])
    many = graph.add("Shape", f"{name}/ids_shape", [ids], T=id_type, out_type=tf.int64)
    one = graph.add_constant(f"{name}/row_shape", np.array(weight.shape[1:], np.int64))
    axis = graph.add_constant(f"{name}/shape/axis", np.int32(0))
    shape = graph.add("ConcatV2", f"{name}/shape", [many, one, axis], N=2, T=tf.int64, Tidx=tf.int32)
    graph.become(lookup, "Reshape", [rows, shape], T=weight.dtype, Tshape=tf.int64)
    return kept


def _reader(weight: Weight) -> Callable[[np.ndarray], np.ndarray]:
    def read(ids: np.ndarray) -> np.ndarray:
        places = ids.reshape(-1)
        outside = places[(places < 0) | (places >= weight.row_count)]
        if outside.size:  # TensorFlow makes an InvalidArgumentError of it, as its own lookups raise one
            raise ValueError(f"an id is {outside[0]}, which is not in [0, {weight.row_count})")
        assert weight.rows_at is not None
        return weight.rows_at(places)

    return read


def _registered(function: Callable[[np.ndarray], np.ndarray], id_type: tf.DType,
                dtype: tf.DType) -> tuple[str, Any]:
    """The token by which a PyFunc finds the function, as long as the graph beside it is kept."""
    with tf.Graph().as_default() as graph:
        made = tf.numpy_function(function, [tf.compat.v1.placeholder(id_type)], dtype)
    return made.op.get_attr("token").decode(), graph


def _wait_for_none(graph: Graph, reads: Collection[str]) -> None:
    """Drops the control dependencies on what has nothing to read any more."""
    for node in graph.nodes.values():
        if any(names.is_control(tensor) and names.node_of(tensor) in reads for tensor in node.input):
            node.input[:] = [tensor for tensor in node.input
                             if not (names.is_control(tensor) and names.node_of(tensor) in reads)]


def _restore_the_rest(graph: Graph, tables: Sequence[LookedUp]) -> None:
    """Takes what fills these tables out of the graph, and their tensors out of what is restored."""
    gone = {names.node_of(name) for table in tables for name in table.restoring}
    _wait_for_none(graph, gone)
    for name in gone:
        del graph.nodes[name]
    ports: dict[str, set[int]] = defaultdict(set)
    for table in tables:
        node, port = names.split(table.restored)
        ports[node].add(port)
    for name, dropped in ports.items():
        _restore_less(graph, graph.nodes[name], dropped)


def _restore_less(graph: Graph, restore: NodeDef, dropped: Collection[int]) -> None:
    """Takes some outputs out of a RestoreV2; one without any others stays as it is, and is not run."""
    types = attribute(restore, "dtypes").list.type
    kept = [port for port in range(len(types)) if port not in dropped]
    if not kept:
        return
    for index in (1, 2):
        listed = graph.constant(restore.input[index])
        restore.input[index] = graph.add_constant(
            f"{restore.name}/rest", np.array([listed[port] for port in kept], object))
    attributes.put(restore, "dtypes", [tf.as_dtype(types[port]) for port in kept])
    now = {names.tensor(restore.name, port): names.tensor(restore.name, place)
           for place, port in enumerate(kept)}
    for node in graph.nodes.values():
        for index, tensor in enumerate(node.input):
            if names.node_of(tensor) == restore.name and not names.is_control(tensor):
                node.input[index] = now[names.canonical(tensor)]
