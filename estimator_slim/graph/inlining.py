"""Calls of functions → the nodes of their bodies, in the graph that calls them.

What TensorFlow 2 exports is a chain of calls, and its variables are restored in one; inlined, it is a
graph like any other. Loops and branches (While, If and their kin) go on calling their functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import tensorflow as tf

from estimator_slim.errors import SourceError
from estimator_slim.graph import _attributes as attributes
from estimator_slim.graph import _names as names
from estimator_slim.graph import _operations as operations
from estimator_slim.graph.functions import (
    MOST_NODES,
    Body,
    FunctionDef,
    NodeDef,
    body_of,
    callee,
    extents,
)
from estimator_slim.graph.graph import Graph


def inline_calls(graph: Graph) -> None:
    """Inlines every call in `graph`, and the calls in what was inlined, in place.

        Before: x ─ StatefulPartitionedCall(f) ─ y                 After: x ─ f's nodes ─ y

    A call keeps its name as an Identity, IdentityN or NoOp that waits for all that the function does.
    Left alone: functions that call themselves or stand for more than the limits of one call, those whose
    types depend on the call, those with an operation that this TensorFlow cannot run (it looks for one
    at load in a graph, and in a function first when that is called), and calls whose output a signature
    feeds.

    Raises:
      SourceError: all calls together stand for more nodes than one may.
    """
    library = graph.functions()
    sizes = {name: one.nodes for name, one in extents(library).items()
             if one.is_within_limits and _can_run(library[name])}
    total = sum(sizes.get(callee(node), 0) for node in graph.nodes.values())
    if total > MOST_NODES:
        raise SourceError(f"its function calls stand for {total:,} nodes, and at most {MOST_NODES:,} "
                          "can be inlined; export the model with fewer nested functions")
    replaced: dict[str, str] = {}
    in_frames = any(node.op in ("Enter", "RefEnter") for node in graph.nodes.values())
    fed = {names.node_of(tensor) for tensor in graph.interface.fed}
    todo = [node for node in graph.nodes.values()
            if callee(node) in sizes and node.name not in fed]
    while todo:
        call = todo.pop()
        body = body_of(library[callee(call)], library)
        if body is not None and len(body.arguments) == len(names.data_inputs(call)):
            added = _inline(graph, call, body, library[callee(call)], replaced, in_frames)
            todo += [node for node in added if callee(node) in sizes]
    graph.redirect(replaced)


def _can_run(function: FunctionDef) -> bool:
    return all(operations.has_kernel(op) for op in {node.op for node in function.node_def}
               if operations.is_registered(op))


def _inline(graph: Graph, call: NodeDef, body: Body, function: FunctionDef,
            replaced: dict[str, str], in_frames: bool) -> list[NodeDef]:
    """Adds the nodes of `body`, turns `call` into what waits for them; returns the nodes added."""
    new_name = _add_nodes(graph, call, body)
    arguments = dict(zip(body.arguments, names.data_inputs(call)))
    before = names.control_inputs(call)
    if in_frames and not before:
        before = [f"^{names.node_of(i)}" for i in names.data_inputs(call)[:1]]

    def moved(name: str) -> str:
        node, port = names.split(name)
        if node in arguments:
            return f"^{names.node_of(arguments[node])}" if port < 0 else arguments[node]
        return f"^{new_name[node]}" if port < 0 else names.tensor(new_name[node], port)

    for node in body.nodes:
        is_first = all(names.node_of(i) in arguments for i in node.input)
        node.input[:] = [moved(i) for i in node.input] + (before if is_first else [])
    effects = [f"^{new_name[name]}" for name in body.controls]
    outputs = list(_outputs(graph, call, function, [moved(t) for t in body.outputs], effects))
    replaced.update((names.tensor(call.name, port), tensor) for port, tensor in enumerate(outputs))
    _become_join(graph, call, outputs, [arg.type for arg in function.signature.output_arg],
                 [*before, *effects])
    return body.nodes


def _add_nodes(graph: Graph, call: NodeDef, body: Body) -> dict[str, str]:
    """Adds the nodes of `body` under names of their own; returns body name → graph name."""
    new_name = {}
    for node in body.nodes:
        name = graph.unique(f"{call.name}/{node.name}")
        new_name[node.name], node.name = name, name
        graph.nodes[name] = node
    return new_name


def _outputs(graph: Graph, call: NodeDef, function: FunctionDef, tensors: Iterable[str],
             effects: list[str]) -> Iterator[str]:
    """Each output, made to wait for what the function does (a handle needs not)."""
    for tensor, arg in zip(tensors, function.signature.output_arg):
        if effects and arg.type != tf.resource.as_datatype_enum:
            tensor = graph.add("Identity", f"{call.name}/{arg.name}", [tensor, *effects],
                               T=tf.dtypes.as_dtype(arg.type))
        yield tensor


def _become_join(graph: Graph, call: NodeDef, outputs: list[str], types: list[int],
                 waits: list[str]) -> None:
    """Turns `call` into a node with its name and its outputs."""
    call.input[:] = waits
    dtypes = [tf.dtypes.as_dtype(t) for t in types]
    if not outputs:
        graph.become(call, "NoOp", [])
    elif len(outputs) == 1:
        graph.become(call, "Identity", outputs, T=dtypes[0])
    else:
        graph.become(call, "IdentityN", outputs)
        attributes.put(call, "T", dtypes)
