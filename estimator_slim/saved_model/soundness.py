"""Whether a graph is sound, asked before anything is done with it.

A SavedModel is data from elsewhere. What is wrong with it is said here, once, in the words of the file;
what follows then takes names, ports, types and shapes as they stand.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

import tensorflow as tf

from estimator_slim.graph import names
from estimator_slim.graph.bodies import edit_bodies
from estimator_slim.graph.functions import reachable
from estimator_slim.graph.graph import Graph, NodeDef
from estimator_slim.graph.interface import Interface
from estimator_slim.graph.unexecuted import imported
from estimator_slim.saved_model.calls import unsound_calls
from estimator_slim.saved_model.operations import too_many_outputs, unknown_operations
from estimator_slim.saved_model.promises import Promise
from estimator_slim.saved_model.values import unsound_values

_TENSOR = re.compile(r"[^\s^:]+(:[0-9]{1,9})?")


def faults(graph_def: tf.compat.v1.GraphDef, promised: list[Promise]) -> Iterator[str]:
    """What is wrong with a MetaGraph's graph: clauses that name the place and end with what to do.

    Ask for the first alone: each check relies on those before it.
    """
    bodies = [function.node_def for function in graph_def.library.function]
    nodes = list(itertools.chain(graph_def.node, *bodies))
    yield from unknown_operations(graph_def)
    for fault in itertools.chain(
            _unsound_names(graph_def.node), _lost(promised, {node.name for node in graph_def.node}),
            unsound_calls(graph_def.library), unsound_values(nodes), too_many_outputs(nodes),
            _refused_by_tensorflow(graph_def, promised), _unsound_bodies(graph_def)):
        yield f"{fault}; export it again"


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


def _lost(promised: Iterable[Promise], known: set[str]) -> Iterator[str]:
    for one in promised:
        if not _TENSOR.fullmatch(one.name):
            yield f"{one.what} is {one.name!r}; expected `node` or `node:output`"
        elif names.node_of(one.name) not in known:
            yield f"{one.what} is {one.name!r}, which is not in the graph"


def _refused_by_tensorflow(graph_def: tf.compat.v1.GraphDef,
                           promised: Iterable[Promise]) -> Iterator[str]:
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
    """Functions that are called; TensorFlow looks at their bodies late, in the middle of a request."""
    called = reachable(graph_def.node, graph_def.library)
    for function in called.function:
        if len({node.name for node in function.node_def}) < len(function.node_def):
            yield f"two nodes of its function {function.signature.name!r} have the same name"
    try:
        edit_bodies(Graph({}, Interface({}), library=called, versions=graph_def.versions),
                    lambda body: imported(body.graph_def()) and None)
    except (ValueError, KeyError) as e:
        yield f"TensorFlow {tf.__version__} does not accept one of its functions ({e})"
