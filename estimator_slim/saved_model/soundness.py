"""Whether a graph is sound, asked before anything is done with it.

A SavedModel is data from elsewhere. What is wrong with it is said here, once, in the words of the file;
what follows then takes names, ports, types and shapes as they stand.

TensorFlow itself is asked last, since some graphs do it harm: it follows each call of a function when it
imports a graph, without end where functions call one another in a circle, and makes room for each of the
millions of outputs that a node may declare in a few bytes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

import tensorflow as tf
from tensorflow.core.framework import function_pb2

from estimator_slim.graph import (
    DEEPEST,
    MOST_NODES,
    Graph,
    Interface,
    NodeDef,
    attributes,
    edit_bodies,
    extents,
    imported,
    names,
    operations,
    reachable,
)
from estimator_slim.saved_model.meta_graph import RequiredName
from estimator_slim.saved_model.values import unsound_values

MOST_OUTPUTS = 1 << 20
_SHOWN = 5
_TENSOR = re.compile(r"[^\s^:]+(:[0-9]{1,9})?")


def faults(graph_def: tf.compat.v1.GraphDef, promised: list[RequiredName]) -> Iterator[str]:
    """What is wrong with a MetaGraph's graph: clauses that name the place.

    Ask for the first alone: each check relies on those before it.
    """
    bodies = [function.node_def for function in graph_def.library.function]
    nodes = list(itertools.chain(graph_def.node, *bodies))
    yield from _unsound_names(graph_def.node)
    yield from _lost(promised, {node.name for node in graph_def.node})
    yield from unsound_calls(graph_def.library)
    yield from unsound_values(nodes)
    yield from too_many_outputs(nodes)
    yield from _refused_by_tensorflow(graph_def, promised)
    yield from _unsound_bodies(graph_def)


def _unsound_names(nodes: Iterable[NodeDef]) -> Iterator[str]:
    known: set[str] = set()
    for node in nodes:
        if node.name in known:
            yield f"two nodes of its graph have the same name, {node.name!r}"
        known.add(node.name)
    for node in nodes:
        for name in node.input:
            if not _TENSOR.fullmatch(name.removeprefix("^")):
                yield f"node {node.name!r} reads {name!r}, which names no tensor"
            elif names.node_of(name) not in known:
                yield f"node {node.name!r} reads {name!r}, which is not in the graph"


def _lost(promised: Iterable[RequiredName], known: set[str]) -> Iterator[str]:
    """The names that requests or loading need and the graph has not."""
    for one in promised:
        if not _TENSOR.fullmatch(one.name):
            yield f"{one.what} is {one.name!r}; expected `node` or `node:output`"
        elif names.node_of(one.name) not in known:
            yield f"{one.what} is {one.name!r}, which is not in the graph"


def _refused_by_tensorflow(graph_def: tf.compat.v1.GraphDef,
                           promised: Iterable[RequiredName]) -> Iterator[str]:
    try:
        graph = imported(graph_def)
    except ValueError as e:
        yield f"TensorFlow {tf.__version__} does not accept its graph ({e})"
        return
    for one in promised:
        node, port = names.split(one.name)
        if one.is_tensor and port >= len(graph.get_operation_by_name(node).outputs):
            yield f"{one.what} is {one.name!r}, but node {node!r} has no output {port}"


def _unsound_bodies(graph_def: tf.compat.v1.GraphDef) -> Iterator[str]:
    """What is wrong in called functions: TensorFlow reads their bodies when a request calls them."""
    called = reachable(graph_def.node, graph_def.library)
    for function in called.function:
        if len({node.name for node in function.node_def}) < len(function.node_def):
            yield f"two nodes of its function {function.signature.name!r} have the same name"
        for name in _lost_in(function):
            yield f"its function {function.signature.name!r} reads {name!r}, which is not in it"
    try:
        edit_bodies(Graph({}, Interface({}), library=called, versions=graph_def.versions),
                    _import_body)
    except (ValueError, KeyError) as e:
        yield f"TensorFlow {tf.__version__} does not accept one of its functions ({e})"


def _lost_in(function: function_pb2.FunctionDef) -> Iterator[str]:
    """The names of nodes and arguments that its nodes and outputs read and it has not."""
    known = {one.name for one in (*function.node_def, *function.signature.input_arg)}
    read = [name for node in function.node_def for name in node.input]
    for name in (*read, *function.ret.values(), *function.control_ret.values()):
        if name.removeprefix("^").split(":")[0] not in known:
            yield name


def _import_body(body: Graph) -> None:
    """Raises ValueError or KeyError unless TensorFlow takes the body and it makes what it declares."""
    graph = imported(body.graph_def())
    for info in body.interface.signatures["body"].outputs.values():
        made = graph.get_tensor_by_name(info.name).dtype.base_dtype
        if made != info.dtype:
            raise ValueError(f"its output {info.name!r} is {made.name}, and it declares "
                             f"{tf.dtypes.as_dtype(info.dtype).name}")


def unset_in_functions(library: function_pb2.FunctionDefLibrary) -> Iterator[str]:
    """Clauses about attributes without a value, which TensorFlow takes in graphs alone."""
    for function in library.function:
        for node in function.node_def:
            for key in attributes.unset_attributes(node):
                yield (f"the attribute {key!r} of node {node.name!r} in its function "
                       f"{function.signature.name!r} has no value")


def unsound_calls(library: function_pb2.FunctionDefLibrary) -> Iterator[str]:
    """What is wrong with the calls among the functions of `library`, a clause for each fault."""
    functions = {f.signature.name: f for f in library.function}
    if len(functions) < len(library.function):
        yield "two of its functions have the same name"
    found = extents(functions)
    for name, extent in found.items():
        if not extent.is_within_limits:
            yield (f"its function {name!r} stands for {extent.nodes:,} nodes, its calls {extent.depth} "
                   f"deep; expected at most {MOST_NODES:,} nodes and {DEEPEST} functions")
            return
    for name in functions.keys() - found.keys():
        yield f"its function {name!r} calls itself, or one that does"


def unknown_operations(graph_def: tf.compat.v1.GraphDef) -> Iterator[str]:
    """A clause, with what to do, about operations of nodes, or of functions that they call."""
    functions = {f.signature.name for f in graph_def.library.function}
    called = reachable(graph_def.node, graph_def.library).function
    used = {node.op for nodes in (graph_def.node, *(f.node_def for f in called)) for node in nodes}
    unknown = sorted(op for op in used - functions if not operations.is_registered(op))
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        yield (f"its graph has the operations {', '.join(unknown[:_SHOWN])}{more}, which TensorFlow "
               f"{tf.__version__} does not know; name the Python module that defines them in "
               "--slim_imports (tensorflow_text, say), or import the library that defines them before "
               "optimizing (tf.load_op_library). Operations of tf.contrib are gone from TensorFlow 2: "
               "export the model without them")


def too_many_outputs(nodes: Iterable[NodeDef]) -> Iterator[str]:
    """A clause about nodes that say in a few bytes that they have many outputs, each of which costs."""
    total = 0
    for node in nodes:
        total += operations.counted_outputs(node)
        if total > MOST_OUTPUTS:
            yield (f"its nodes, up to {node.name!r}, have {total:,} outputs; expected at most "
                   f"{MOST_OUTPUTS:,} in all")
            return
