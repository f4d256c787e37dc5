"""Functions of a graph's library: who calls them, how far, and their bodies in the spelling of graphs.

A FunctionDef names the outputs of its nodes `node:output:index` where a GraphDef says `node:port`, and
its arguments by their bare names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tensorflow.core.framework import function_pb2
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

from estimator_slim.graph import _names as names
from estimator_slim.graph import _operations as operations

CALLS = ("PartitionedCall", "StatefulPartitionedCall")


@dataclass(frozen=True)
class Body:
    """What a function computes, its inputs spelt as in a GraphDef.

    Attributes:
      arguments: their names, which nodes read as tensors.
      nodes: copies, free to be edited.
      outputs: the tensor that each output is, in the order of the function's signature.
      controls: nodes that run for what they do, whether or not an output needs them.
    """

    arguments: tuple[str, ...]
    nodes: list[NodeDef]
    outputs: list[str]
    controls: list[str]


def called_by(node: NodeDef) -> Iterator[str]:
    """The functions that `node` names: the one that it calls, its branches, its loop's body."""
    yield node.op
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            yield value.func.name
        elif kind == "list":
            yield from (f.name for f in value.list.func)


def callee(node: NodeDef) -> str:
    """The name of the function, if there is one, whose body TensorFlow reads when it imports `node`.

    Branches and loops (If, While) it does not follow.
    """
    return operations.attribute(node, "f").func.name if node.op in CALLS else node.op


@dataclass(frozen=True)
class Extent:
    """How much a call of a function stands for.

    TensorFlow follows each call when it imports a graph: functions that call the next one twice take
    time and memory that double with each of them, and a deep chain of calls ends the process. Inlined,
    a call is as many nodes, whose names grow with the depth. Of models that people train, the calls
    stand for some thousand nodes and are a few functions deep; hence the limits.

    Attributes:
      nodes: of the function and of all that it calls.
      depth: 1 for a function that calls no other.
    """

    nodes: int
    depth: int

    @property
    def is_within_limits(self) -> bool:
        """True if time, memory and names stay small whatever is done with the call."""
        return self.nodes <= MOST_NODES and self.depth <= DEEPEST


MOST_NODES, DEEPEST = 200_000, 100


def extents(functions: Mapping[str, FunctionDef]) -> dict[str, Extent]:
    """Function → how much a call of it stands for; each behind those that it calls.

    Left out are those that call themselves, and those that call one that does or is beyond the limits.
    """
    calls = {name: [called for called in map(callee, function.node_def) if called in functions]
             for name, function in functions.items()}
    callers: dict[str, list[str]] = {name: [] for name in functions}
    for name, all_called in calls.items():
        for called in all_called:
            callers[called].append(name)
    waiting = {name: len(all_called) for name, all_called in calls.items()}
    found: dict[str, Extent] = {}
    ready = [name for name, count in waiting.items() if not count]
    while ready:
        name = ready.pop()
        behind = [found[called] for called in calls[name]]
        found[name] = Extent(len(functions[name].node_def) + sum(one.nodes for one in behind),
                             1 + max((one.depth for one in behind), default=0))
        for caller in callers[name] if found[name].is_within_limits else ():
            waiting[caller] -= 1
            if not waiting[caller]:
                ready.append(caller)
    return found


def reachable(nodes: Iterable[NodeDef],
              library: function_pb2.FunctionDefLibrary) -> function_pb2.FunctionDefLibrary:
    """The part of `library` that `nodes` need, in its order, with the gradients of that part."""
    functions = {f.signature.name: f for f in library.function}
    gradients = {g.function_name: g for g in library.gradient}
    needed: set[str] = set()
    todo = [name for node in nodes for name in called_by(node)]
    while todo:
        name = todo.pop()
        if name in functions and name not in needed:
            needed.add(name)
            todo += [n for node in functions[name].node_def for n in called_by(node)]
            if name in gradients:
                todo.append(gradients[name].gradient_func)
    return function_pb2.FunctionDefLibrary(
        function=[f for f in library.function if f.signature.name in needed],
        gradient=[g for g in library.gradient if g.function_name in needed])


def body_of(function: FunctionDef, library: Mapping[str, FunctionDef]) -> Body | None:
    """The body of `function`; None where a type in it depends on the call, or a name leads nowhere."""
    signature = function.signature
    arguments = tuple(arg.name for arg in signature.input_arg)
    if any(arg.number_attr or arg.type_list_attr or arg.type_attr
           for arg in (*signature.input_arg, *signature.output_arg)):
        return None
    nodes, ports = [], {}
    for node in function.node_def:
        if any(value.placeholder for value in node.attr.values()):
            return None
        nodes.append(NodeDef.FromString(node.SerializeToString()))
        ports[node.name] = _first_ports(node, library)
    try:
        for node in nodes:
            node.input[:] = [_in_graph(name, arguments, ports) for name in node.input]
        outputs = [_in_graph(function.ret[arg.name], arguments, ports) for arg in signature.output_arg]
        controls = [function.control_ret[name] for name in signature.control_output]
    except (KeyError, ValueError):
        return None
    return Body(arguments, nodes, outputs, controls)


def _in_graph(name: str, arguments: tuple[str, ...], ports: Mapping[str, dict[str, int]]) -> str:
    """`node:output:2` → `node:5`; an argument and a control dependency stay as they are."""
    if names.is_control(name):
        return name
    node, *rest = name.split(":")
    if node in arguments:
        return node
    output, index = rest
    return names.tensor(node, ports[node][output] + int(index))


def _first_ports(node: NodeDef, library: Mapping[str, FunctionDef]) -> dict[str, int]:
    """The port at which each named output of `node` begins."""
    ports, port = {}, 0
    for arg, count in operations.outputs_of(node, library):
        ports[arg.name] = port
        port += count
    return ports
