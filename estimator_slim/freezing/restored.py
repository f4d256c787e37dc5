"""What the saver restores from the checkpoint, and into what: variables, entries of tables, trees.

Which checkpoint tensor (and which slice of it) goes where is told by the saver's own edges, RestoreV2 →
Identity → Assign, not by names: partitions and Keras keys have other names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import tensorflow as tf
from tensorflow.core.protobuf import saver_pb2

from estimator_slim.checkpoint import CheckpointReader, stored_weight
from estimator_slim.errors import SourceError
from estimator_slim.graph import Graph, NodeDef, Weight, attribute, attributes, names

ASSIGN_OPS = ("Assign", "AssignVariableOp")

Entry = tuple[str, str]  # checkpoint key, shape_and_slice


def saved_variables(graph: Graph, saver: saver_pb2.SaverDef,
                    reader: CheckpointReader) -> dict[str, Weight]:
    """Variable node → its value in the checkpoint, by following the restore op."""
    def restored(tensor: str) -> Weight | None:
        entry = _restored_from(graph, graph.source(tensor))
        return None if entry is None else stored_weight(reader, *entry)

    found = {}
    for node in _restoring(graph, saver):
        if node.op in ASSIGN_OPS:
            variable, value = (graph.source(i) for i in node.input[:2])
            holder = graph.nodes[names.node_of(variable)]
            weight = restored(value)
            if weight is not None:
                _require_fit(holder, weight, reader.prefix)
                found[holder.name] = weight
    return found


def _require_fit(variable: NodeDef, weight: Weight, prefix: str) -> None:
    declared = attributes.dtype(variable, "dtype"), tf.TensorShape(attribute(variable, "shape").shape)
    if declared[0].base_dtype != weight.dtype or not declared[1].is_compatible_with(weight.shape):
        raise SourceError(
            f"The graph's variable {variable.name!r} is of dtype {declared[0].name} and shape "
            f"{declared[1]}, and what it is restored from, {weight.origin!r} in the checkpoint "
            f"{prefix}, of dtype {weight.dtype.name} and shape {list(weight.shape)}. They are not of "
            "the same export: export the model again.")


def fill_at_load(graph: Graph, saver: saver_pb2.SaverDef, reader: CheckpointReader) -> None:
    """Makes the init op fill what the restore op fills besides variables, where requests need it.

        Before: RestoreV2 ─ LookupTableImportV2(table) ─ ^restore_all
        After:  Const, Const ─ LookupTableImportV2(table) ─ ^init_op

    Tables that change (MutableHashTable) and ensembles of trees have their contents in the checkpoint.
    """
    needed = graph.ancestors(graph.interface.roots())
    for node in list(_restoring(graph, saver)):
        entries = {i: _restored_from(graph, graph.source(tensor))
                   for i, tensor in enumerate(names.data_inputs(node))}
        if any(entries.values()) and node.op not in ASSIGN_OPS and _handle(graph, node) in needed:
            _run_at_load(graph, _filling(graph, node, entries, reader))


def _restoring(graph: Graph, saver: saver_pb2.SaverDef) -> Iterator[NodeDef]:
    for name in sorted(graph.ancestors([names.node_of(saver.restore_op_name)])):
        yield graph.nodes[name]


def _restored_from(graph: Graph, tensor: str) -> Entry | None:
    """What `tensor` is restored from."""
    name, port = names.split(tensor)
    restore = graph.nodes[name]
    if restore.op != "RestoreV2":
        return None
    keys, slices = (graph.constant(i) for i in restore.input[1:3])
    if keys is None or slices is None:
        return None
    try:
        return keys[port].decode(), slices[port].decode()
    except (IndexError, UnicodeDecodeError) as e:
        raise SourceError(f"The graph's restore op {name!r} names no tensor of a checkpoint for its "
                          f"output {port} ({e}): the graph is damaged, export the model again.") from e


def _handle(graph: Graph, node: NodeDef) -> str:
    """What `node` fills: the node of its first input."""
    return names.node_of(graph.source(node.input[0]))


def _filling(graph: Graph, node: NodeDef, entries: dict[int, Entry | None],
             reader: CheckpointReader) -> str:
    """Adds a copy of `node` that takes weights in place of what it takes from the restore; its name."""
    name = graph.unique(f"{_handle(graph, node)}/restored")
    copy = NodeDef()
    copy.CopyFrom(node)
    copy.name = name
    copy.input[:] = [i for i in node.input if not names.is_control(i) or not _restores(graph, i)]
    graph.nodes[name] = copy
    for index, entry in entries.items():
        if entry is not None:
            weight = replace(stored_weight(reader, *entry), mutable=True)
            value = graph.add_weight(f"{name}/{index}", weight)
            copy.input[index] = _of_unknown_shape(graph, value, weight.dtype)
    return name


def _of_unknown_shape(graph: Graph, tensor: str, dtype: tf.DType) -> str:
    """Hides the shape of `tensor`, as a restore does: some tables' keys, [n, 1], do not fit their op."""
    return graph.add("PlaceholderWithDefault", tensor, [tensor], dtype=dtype, shape=tf.TensorShape(None))


def _restores(graph: Graph, control: str) -> bool:
    before = graph.ancestors([names.node_of(control)])
    return any(graph.nodes[name].op == "RestoreV2" for name in before)


def _run_at_load(graph: Graph, name: str) -> None:
    if not graph.interface.init_ops:
        init = graph.add("NoOp", "init_restored")
        graph.interface = replace(graph.interface, init_ops=(init,))
    for init in graph.interface.init_ops:
        graph.nodes[init].input.append(f"^{name}")
