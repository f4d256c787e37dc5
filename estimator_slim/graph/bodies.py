"""The bodies of functions as graphs of their own, so that what edits a graph can edit them too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import tensorflow as tf
from tensorflow.core.framework import function_pb2
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.graph import _attributes as attributes
from estimator_slim.graph import _names as names
from estimator_slim.graph import _operations as operations
from estimator_slim.graph.functions import Body, body_of, called_by, callee
from estimator_slim.graph.graph import Graph
from estimator_slim.graph.interface import Interface

Said = TypeVar("Said")


def edit_bodies(graph: Graph, edit: Callable[[Graph], Said]) -> list[tuple[str, Said]]:
    """Lets `edit` change the body of every function of `graph`'s library, as a graph, in place.

    A body's arguments are fed and its outputs fetched; what it runs for its effect must stay, as the
    init op must. Functions whose types depend on the call are left as they are.

    Returns:
      (name of the function, what `edit` returned for its body) for each.
    """
    library = graph.functions()
    edited, said = [], []
    for function in graph.library.function:
        body = body_of(function, library)
        if body is None:
            edited.append(function)
            continue
        inner = _graph_of(graph, function, body, library)
        said.append((function.signature.name, edit(inner)))
        inner.prune()
        edited.append(_function_of(inner, function, body, library))
    graph.library = function_pb2.FunctionDefLibrary(function=edited, gradient=graph.library.gradient)
    return said


def _graph_of(graph: Graph, function: FunctionDef, body: Body,
              library: Mapping[str, FunctionDef]) -> Graph:
    nodes = {}
    for arg in function.signature.input_arg:
        nodes[arg.name] = NodeDef(name=arg.name, op="Placeholder")
        attributes.put(nodes[arg.name], "dtype", tf.dtypes.as_dtype(arg.type))
        attributes.put(nodes[arg.name], "shape", tf.TensorShape(None))
    for node in body.nodes:
        node.attr.pop("_class", None)  # colocated with the node of an argument, which is none of these
        nodes[node.name] = node
    promised = meta_graph_pb2.SignatureDef(
        inputs={arg.name: _info(arg.name, arg.type) for arg in function.signature.input_arg},
        outputs={str(n): _info(tensor, arg.type)
                 for n, (tensor, arg) in enumerate(zip(body.outputs, function.signature.output_arg))})
    acting = [node.name for node in body.nodes if _acts(node)]
    interface = Interface({"body": promised}, init_ops=tuple(dict.fromkeys(body.controls + acting)))
    return Graph(nodes, interface, library=_named_in(body, library), versions=graph.versions)


def _named_in(body: Body, library: Mapping[str, FunctionDef]) -> function_pb2.FunctionDefLibrary:
    """The functions that importing the body needs: those that it names, and what they call."""
    needed: dict[str, FunctionDef] = {}
    todo = [name for node in body.nodes for name in called_by(node)]
    while todo:
        name = todo.pop()
        if name in library and name not in needed:
            needed[name] = library[name]
            todo += map(callee, library[name].node_def)
    return function_pb2.FunctionDefLibrary(function=needed.values())


def _info(tensor: str, dtype: int) -> meta_graph_pb2.TensorInfo:
    return meta_graph_pb2.TensorInfo(name=tensor if ":" in tensor else f"{tensor}:0", dtype=dtype)


def _acts(node: NodeDef) -> bool:
    return not operations.is_registered(node.op) or operations.is_stateful(node.op)


def _function_of(graph: Graph, function: FunctionDef, body: Body,
                 library: Mapping[str, FunctionDef]) -> FunctionDef:
    """`function` with the nodes of `graph` for its body."""
    result = FunctionDef.FromString(function.SerializeToString())
    del result.node_def[:]
    spelling: dict[str, str] = {}
    for node in graph.nodes.values():
        spelling.update([(node.name, node.name)] if node.name in body.arguments
                        else _spellings(node, library))
    for node in graph.nodes.values():
        if node.name not in body.arguments:
            added = result.node_def.add()
            added.CopyFrom(node)
            added.input[:] = [i if names.is_control(i) else spelling[names.canonical(i)]
                              for i in node.input]
    for arg, tensor in zip(function.signature.output_arg, body.outputs):
        result.ret[arg.name] = spelling[names.canonical(tensor)]
    return result


def _spellings(node: NodeDef, library: Mapping[str, FunctionDef]) -> Iterator[tuple[str, str]]:
    """`node:5` → `node:output:2` for every output of `node`."""
    port = 0
    for arg, count in operations.outputs_of(node, library):
        for index in range(count):
            yield names.tensor(node.name, port), f"{node.name}:{arg.name}:{index}"
            port += 1
