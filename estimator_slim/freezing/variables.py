"""Variables → weights: nothing that could be trained is left in the graph.

A variable that requests can change, or whose reads we do not know, stays a variable with its value
restored; so does one that loops or branches read by its handle, and one of which TensorFlow would make
another model, were it a constant (`remapped.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Optional

import numpy as np
import tensorflow as tf

from estimator_slim.checkpoint import CheckpointReader
from estimator_slim.errors import SourceError
from estimator_slim.freezing.control_edges import drop_idle_controls
from estimator_slim.freezing.handles import READS, Handles
from estimator_slim.freezing.remapped import remapped_if_constant
from estimator_slim.freezing.restored import ASSIGN_OPS, fill_at_load, saved_variables
from estimator_slim.graph import (
    VARIABLE_OPS,
    Consumers,
    Graph,
    NodeDef,
    Training,
    Weight,
    attribute,
    attributes,
    inline_calls,
    names,
    operations,
    shared_name,
)
from estimator_slim.saved_model import Servable

# What training left of a variable, by its node and its weight.
TrainingOf = Callable[[str, Weight], Optional[Training]]

_AXIS = np.int32(0)
_GATHERS = ("ResourceGather", "Gather", "GatherV2")


def freeze(servable: Servable, training_of: TrainingOf | None = None) -> Graph:
    """The serving graph of `servable`, variables replaced by weights and the rest pruned.

    Weights of up to 256 KiB become Consts, but for those of which `training_of` knows something.

    Raises:
      SourceError: a variable that requests read is not in the checkpoint, or its bytes there are not
        those that were written (their checksum tells).
    """
    graph = servable.graph.copy()
    inline_calls(graph)
    reader = CheckpointReader(servable.checkpoint) if servable.checkpoint else None
    saver = servable.meta_graph.saver_def
    saved = saved_variables(graph, saver, reader) if reader else {}
    if training_of:
        saved |= {name: replace(saved[name], training=training_of(name, saved[name]))
                  for name in set(_looked_up(graph)) & saved.keys()}
    if reader:
        fill_at_load(graph, saver, reader)
    graph.prune()
    for node in graph.nodes.values():
        node.attr.pop("_class", None)
        node.attr.pop("_output_shapes", None)
    passed_on: dict[str, str] = {}
    handles = Handles(graph)
    kept = remapped_if_constant(graph)
    for name, uses in _uses(graph).items():
        variable = graph.nodes[name]
        if name not in saved:
            _require_initialised(graph, variable, uses, servable.directory)
        elif all(_only_reads(node, index) for node, index in uses):
            passed_on |= _replace(graph, variable, replace(saved[name], kept=name in kept), uses)
        else:
            attributes.put(variable, "shared_name", shared_name(variable))
            by_handle = variable.op == "VarHandleOp" and handles.only_read(name)
            graph.weights[shared_name(variable)] = replace(saved[name], mutable=not by_handle,
                                                           by_handle=by_handle)
    graph.redirect(passed_on)
    drop_idle_controls(graph)
    graph.prune()
    if reader:
        for key in sorted({part.origin for weight in graph.weights.values() for part in weight.parts()}):
            reader.verify(key)  # what became a Const was read whole, and checked by that
    return graph


def _looked_up(graph: Graph) -> Iterator[str]:
    """The variables that something gathers rows of."""
    for node in graph.nodes.values():
        if node.op in _GATHERS:
            holder = graph.producer(node.input[0])
            if holder.op == "ReadVariableOp":
                holder = graph.producer(holder.input[0])
            yield holder.name


def _uses(graph: Graph) -> dict[str, list[tuple[NodeDef, int]]]:
    """Variable node of the original → the (node, input index) pairs that use it."""
    consumers = Consumers(graph)
    return {node.name: consumers.of(node.name) + consumers.waiting_for(node.name)
            for node in graph.nodes.values()
            if node.op in VARIABLE_OPS and shared_name(node) not in graph.weights}


def _only_reads(node: NodeDef, index: int) -> bool:
    """True if `node` takes the variable at `index` by value only."""
    return (names.is_control(node.input[index]) or node.op in READS
            or operations.takes_values(node))


def _require_initialised(graph: Graph, variable: NodeDef, uses: list, directory: str) -> None:
    """A variable that is in no checkpoint has to be set by the init op, or it could not be read."""
    if not any(node.op in ASSIGN_OPS for node, _ in uses):
        raise SourceError(f"{directory}: requests read the variable {variable.name!r}, which is "
                          "neither in its checkpoint nor set by its init op; export it again")


def _replace(graph: Graph, variable: NodeDef, weight: Weight, uses: list) -> dict[str, str]:
    """Weight in, variable out; returns each read that is the weight unchanged → the weight's tensor."""
    name, passed_on = variable.name, {}
    if variable.op != "VarHandleOp" and name in map(names.node_of, graph.interface.outputs()):
        graph.replace_by_weight(name, weight)  # a signature fetches it under its name
        return {}
    del graph.nodes[name]
    value = graph.add_weight(name, weight)
    if variable.op == "VarHandleOp":
        for node, index in uses:
            if names.is_control(node.input[index]):
                node.input[index] = f"^{names.node_of(value)}"
            elif _read(graph, node, value, weight):
                passed_on[node.name] = value
    elif value != name:
        for node, index in uses:
            node.input[index] = ("^" if names.is_control(node.input[index]) else "") + value
    return passed_on


def _read(graph: Graph, node: NodeDef, value: str, weight: Weight) -> bool:
    """Turns a node that reads a resource into one that reads `value`; True if it is the same."""
    dtype = {"T": weight.dtype}
    if node.op == "ReadVariableOp":
        graph.become(node, "Identity", [value], **dtype)
        return len(node.input) == 1
    if node.op == "VariableShape":
        shape_type = attributes.dtype(node, "out_type")
        graph.become(node, "Shape", [value], out_type=shape_type, **dtype)
        return False
    indices = node.input[1]
    index_type = {"Tindices": attributes.dtype(node, "Tindices"), "Tparams": weight.dtype}
    if node.op == "ResourceGather":
        axis = graph.add_constant(f"{node.name}/axis", _AXIS)
        graph.become(node, "GatherV2", [value, indices, axis], Taxis=tf.int32,
                     batch_dims=int(attribute(node, "batch_dims").i), **index_type)
    else:
        graph.become(node, "GatherNd", [value, indices], **index_type)
    return False
