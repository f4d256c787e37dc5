"""A graph and its weights → a SavedModel directory that stock loaders take.

Weights go to `variables/` in slices. The saver in the graph is new: its restore op reads each stored
part, decodes it where it is stored in another form, and assigns it.

The MetaGraphs beside the optimized one, for training and evaluation, are dropped; or they are carried
along as they are, with the whole checkpoint that they restore.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2, saver_pb2

from estimator_slim.checkpoint import CheckpointReader, CheckpointWriter, stored_weight
from estimator_slim.graph import (
    CODED,
    VARIABLE_OPS,
    Consumers,
    Graph,
    NodeDef,
    Weight,
    attributes,
    names,
    shared_name,
)
from estimator_slim.log import tracked
from estimator_slim.saved_model.reader import Servable, mark

_SLIM = "slim/"
_ASSETS = "saved_model_assets"
_NODE_COLLECTIONS = ("saved_model_main_op", "legacy_init_op", "table_initializer")


def write_servable(graph: Graph, source: Servable, directory: str, *,
                   meta_graphs: str = "serve") -> int:
    """Writes `graph` into the existing, empty `directory` as a SavedModel like `source`.

    Returns how many nodes the serving graph and its functions have there, with those that restore and
    save its weights.

    With `meta_graphs` `all` the other MetaGraphs are written as they are, and with them every tensor of
    the checkpoint, beside which the slim weights go by the prefix `slim/`.

    Raises:
      DestinationError: a file cannot be written.
      SourceError: a tensor to be carried along is damaged.
    """
    carried = carried_weights(source) if meta_graphs == "all" else {}
    parts = {**carried, **_parts(graph, _SLIM if carried else "")}
    complete = graph.copy()
    saver = _add_saver(complete, _SLIM if carried else "") if graph.weights else None
    saved_model = _saved_model(complete, source, saver)
    if meta_graphs == "all":
        saved_model.meta_graphs.extend(source.others)
    with tf.io.gfile.GFile(os.path.join(directory, "saved_model.pb"), "wb") as f:
        f.write(saved_model.SerializeToString(deterministic=True))
    if parts:
        tf.io.gfile.makedirs(os.path.join(directory, "variables"))
        with CheckpointWriter(os.path.join(directory, "variables", "variables")) as writer:
            for name, part in sorted(parts.items()):
                slices = tracked(f"writing {name}", part.byte_count, part.slices())
                writer.add(name, part.dtype.as_numpy_dtype, part.shape,
                           (rows if part.shape else rows.reshape(()) for _, rows in slices))
    return complete.node_count


def carried_weights(servable: Servable) -> dict[str, Weight]:
    """Checkpoint key → tensor, of all that the other MetaGraphs of `servable` may restore.

    That is the whole checkpoint, since training also restores the optimizer's slots; nothing where there
    are no others.

    Raises:
      SourceError: the bytes of a tensor are not those that were written (their checksum tells).
    """
    if not servable.others or servable.checkpoint is None:
        return {}
    reader = CheckpointReader(servable.checkpoint)
    for key in reader.tensors:
        reader.verify(key)
    return {key: stored_weight(reader, key) for key in sorted(reader.tensors)}


def _parts(graph: Graph, prefix: str) -> dict[str, Weight]:
    """Checkpoint key → weight, for everything that the slim graph restores."""
    parts = {}
    for name, weight in graph.weights.items():
        if weight.stored is None:
            parts[prefix + name] = weight
        else:
            parts.update((f"{prefix}{name}/{suffix}", p) for suffix, p in weight.stored.parts.items())
    return parts


def _saved_model(graph: Graph, source: Servable,
                 saver: saver_pb2.SaverDef | None) -> saved_model_pb2.SavedModel:
    result = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    meta_graph = result.meta_graphs.add()
    meta_graph.meta_info_def.CopyFrom(source.meta_graph.meta_info_def)
    for key, signature in graph.interface.signatures.items():
        meta_graph.signature_def[key].CopyFrom(signature)
    if source.meta_graph.asset_file_def:
        meta_graph.asset_file_def.extend(graph.interface.assets)
    _add_collections(graph, source, meta_graph)
    mark(meta_graph)
    if saver is not None:
        meta_graph.saver_def.CopyFrom(saver)
        meta_graph.collection_def["variables"].bytes_list.value.extend(
            _variable_defs(graph, saver))
    meta_graph.graph_def.CopyFrom(graph.graph_def())
    graph_def = meta_graph.graph_def
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        attributes.spell_unset(nodes)
    for node in graph_def.node:
        node.attr.pop(CODED, None)  # the whole servable is marked
    return result


def _add_collections(graph: Graph, source: Servable, target: meta_graph_pb2.MetaGraphDef) -> None:
    """The collections by which loaders find what to run, as in `source`; nodes by their names of now."""
    before, after = source.graph.interface, graph.interface
    names_now = {**dict(zip(before.init_ops, after.init_ops)), **dict(zip(before.tables, after.tables))}
    for key in _NODE_COLLECTIONS:
        listed = [names_now.get(name, name) for name in _listed(source.meta_graph, key)]
        if key == "table_initializer":
            listed += after.tables[len(before.tables):]
        if key == "saved_model_main_op" and not before.init_ops:
            listed += after.init_ops
        if listed:
            target.collection_def[key].node_list.value.extend(listed)
    if _ASSETS in source.meta_graph.collection_def:
        for asset in after.assets:
            target.collection_def[_ASSETS].any_list.value.add().Pack(asset)


def _listed(meta_graph: meta_graph_pb2.MetaGraphDef, key: str) -> list[str]:
    is_there = key in meta_graph.collection_def
    return list(meta_graph.collection_def[key].node_list.value) if is_there else []


def _variable_defs(graph: Graph, saver: saver_pb2.SaverDef) -> Iterator[bytes]:
    """The `variables` collection, by which stock Python loaders find the variables."""
    consumers = Consumers(graph)
    for node in graph.nodes.values():
        if node.op == "VarHandleOp" and shared_name(node) in graph.weights:
            read = next(n.name for n, _ in consumers.of(node.name)
                        if n.op == "ReadVariableOp" and n.name.startswith("save/"))
            yield variable_pb2.VariableDef(
                variable_name=f"{node.name}:0", initializer_name=saver.restore_op_name,
                snapshot_name=f"{read}:0", is_resource=True,
                trainable=False).SerializeToString(deterministic=True)


def _add_saver(graph: Graph, prefix: str) -> saver_pb2.SaverDef:
    """Adds the nodes that restore and save the weights; returns the SaverDef that names them."""
    filename = graph.add("PlaceholderWithDefault", "save/filename",
                         [graph.add_constant("save/filename/default", np.array(b"model"))],
                         dtype=tf.string, shape=tf.TensorShape([]))
    restored = _add_restore(graph, filename, prefix)
    variables = [n for n in list(graph.nodes.values())
                 if n.op in VARIABLE_OPS and shared_name(n) in graph.weights]
    assigned = [_add_assign(graph, node, restored) for node in variables]
    restore_all = graph.add("NoOp", "save/restore_all", [f"^{name}" for name in assigned])
    return saver_pb2.SaverDef(filename_tensor_name=f"{filename}:0", restore_op_name=restore_all,
                              save_tensor_name=f"{_add_save(graph, filename, variables)}:0",
                              version=saver_pb2.SaverDef.V2)


def _add_restore(graph: Graph, filename: str, prefix: str) -> dict[str, str]:
    """Adds one RestoreV2 of everything; returns checkpoint key, less `prefix` → tensor."""
    parts = dict(sorted(_parts(graph, prefix).items()))
    restore = graph.add("RestoreV2", "save/RestoreV2", [filename, *_keys(graph, "restore", parts)],
                        dtypes=[part.dtype for part in parts.values()])
    return {key[len(prefix):]: names.tensor(restore, port) for port, key in enumerate(parts)}


def _keys(graph: Graph, what: str, keys: Iterable[str]) -> tuple[str, str]:
    """Adds the Consts that RestoreV2 and SaveV2 take: tensor names and (no) slices."""
    encoded = np.array([key.encode() for key in keys], object)
    empty = np.array([b""] * len(encoded), object)
    return (graph.add_constant(f"save/{what}/tensor_names", _strings(encoded)),
            graph.add_constant(f"save/{what}/slices", _strings(empty)))


def _strings(values: np.ndarray) -> np.ndarray:
    width = max((len(v) for v in values), default=0)
    return values.astype(f"S{max(1, width)}")


def _add_assign(graph: Graph, variable: NodeDef, restored: dict[str, str]) -> str:
    name = shared_name(variable)
    weight = graph.weights[name]
    if weight.stored is None:
        value = restored[name]
    else:
        parts = {suffix: restored[f"{name}/{suffix}"] for suffix in weight.stored.parts}
        value = weight.stored.decode(graph, f"save/{variable.name}", parts)
    if variable.op == "VarHandleOp":
        return graph.add("AssignVariableOp", f"save/{variable.name}/Assign",
                         [variable.name, value], dtype=weight.dtype)
    return graph.add("Assign", f"save/{variable.name}/Assign", [variable.name, value],
                     T=weight.dtype, validate_shape=True, use_locking=True)


def _add_save(graph: Graph, filename: str, variables: list[NodeDef]) -> str:
    """Adds a real SaveV2, which a SaverDef has to have, of the variables' values."""
    values, keys = [], []
    for node in variables:
        is_resource = node.op == "VarHandleOp"
        dtype = graph.weights[shared_name(node)].dtype
        values.append(graph.add("ReadVariableOp", f"save/{node.name}/Read", [node.name],
                                dtype=dtype) if is_resource else node.name)
        keys.append(shared_name(node))
    save = graph.add("SaveV2", "save/SaveV2", [filename, *_keys(graph, "save", keys), *values],
                     dtypes=[graph.weights[key].dtype for key in keys])
    return graph.add("Identity", "save/done", [filename, f"^{save}"], T=tf.string)
