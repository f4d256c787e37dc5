"""Which outputs a request itself changes: those made from variables or tables that it writes.

A streaming metric's value and its update in one signature race, and the second request is answered
otherwise than the first. No two servables have to answer such outputs alike, not even one asked twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from tensorflow.core.framework.node_def_pb2 import NodeDef

from estimator_slim.errors import SourceError
from estimator_slim.graph import CALLS, Graph, attribute, inline_calls, inside_branches, names
from estimator_slim.verify.answers import fetched

_WRITES = re.compile(
    r"Assign(Add|Sub)?(VariableOp)?|(Resource)?StridedSliceAssign|(Resource)?CountUpTo"
    r"|(Resource)?(Sparse)?Apply[A-Z]\w*|(Resource)?Scatter(Nd)?(Add|Sub|Mul|Div|Max|Min|Update)"
    r"|LookupTable(Insert|Remove|Import)(V2)?|Queue(Dequeue|Enqueue)\w*|IteratorGetNext\w*"
    r"|Stateful(StandardNormal|TruncatedNormal|Uniform|RandomBinomial)\w*|Rng\w*Skip")
_HANDED_ON = ("Identity", "Enter", "Switch", "RefIdentity", "RefEnter", "RefSwitch")
_BODIES = {**dict.fromkeys(CALLS, "f"), "While": "body", "StatelessWhile": "body"}
_FARTHEST = 100  # from where a state is written to where it is held


def changed_by_requests(graph: Graph) -> dict[tuple[str, str], str]:
    """(signature, output) → the variable or table that it is made from and that its requests write.

    What is written in a branch is not counted: there is no telling whether requests ever take it.
    """
    states, found = _States(_inlined(graph)), {}
    for signature, definition in graph.interface.served().items():
        outputs = {key: names.node_of(tensor) for output, info in definition.outputs.items()
                   for key, tensor in fetched(output, info)}
        written = states.written(outputs.values())
        for key, node in outputs.items() if written else ():
            for state in sorted(written & states.read(node))[:1]:
                found[signature, key] = state
    return found


def _inlined(graph: Graph) -> Graph:
    """The graph with the functions that it calls inside of it, unless they are too many."""
    if not graph.library.function:
        return graph
    copy = graph.copy()
    try:
        inline_calls(copy)
    except SourceError:
        return graph
    return copy


class _States:
    """The variables and tables of a graph, by their nodes' names: which are read, which are written."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._functions = {function.signature.name: function for function in graph.library.function}
        self._known: dict[str, list[int]] = {}
        self._fed = {names.node_of(tensor) for tensor in graph.interface.fed}

    def read(self, node: str) -> set[str]:
        """What the values of `node` are made from."""
        seen, todo = set(), [node]
        while todo:
            name = todo.pop()
            if name not in seen and name in self._graph.nodes:
                seen.add(name)
                data = filter(_is_data, self._graph.nodes[name].input if name not in self._fed else ())
                todo += map(names.node_of, data)
        return {self._held(name) for name in seen}

    def written(self, nodes: Iterable[str]) -> set[str]:
        """What a request for these nodes writes without a choice."""
        ran = [self._graph.nodes[name] for name in self._graph.ancestors(nodes, self._fed)]
        writing = {node.name: tensors for node in ran if (tensors := list(self._written_by(node)))}
        chosen = inside_branches(self._graph) if writing else set()
        return {self._held(names.node_of(tensor)) for name, tensors in writing.items()
                if name not in chosen for tensor in tensors}

    def _held(self, name: str) -> str:
        """What holds the state that node `name` hands on, by the name that all holders of it go by."""
        holder = self._graph.nodes[_start(name, self._graph.nodes.get, names.node_of)]
        shared = attribute(holder, "shared_name").s.decode()
        return shared or holder.name

    def _written_by(self, node: NodeDef) -> Iterator[str]:
        """The inputs of `node` that are states which it, or a function that it calls, writes."""
        if _WRITES.fullmatch(node.op):
            yield node.input[0]
        elif node.op in _BODIES:
            for number in self._written_arguments(attribute(node, _BODIES[node.op]).func.name):
                yield node.input[number]

    def _written_arguments(self, function: str) -> list[int]:
        """The numbers of those arguments of a function that are states which it writes."""
        if function not in self._known and function in self._functions:
            self._known[function] = []  # for a function that calls itself
            body = self._functions[function]
            nodes = {node.name: node for node in body.node_def}
            starts = {_start(_node_in_body(tensor), nodes.get, _node_in_body) for node in body.node_def
                      for tensor in self._written_by(node)}
            self._known[function] = [number for number, arg in enumerate(body.signature.input_arg)
                                     if arg.name in starts]
        return self._known.get(function, [])


def _is_data(tensor: str) -> bool:
    return not names.is_control(tensor)


def _node_in_body(tensor: str) -> str:
    return tensor.split(":")[0]


def _start(name: str, node: Callable[[str], NodeDef | None], node_of: Callable[[str], str]) -> str:
    """Where the way to node `name` begins, over nodes that only hand on what they get."""
    for _ in range(_FARTHEST):
        one = node(name)
        if one is None or one.op not in _HANDED_ON:
            break
        name = node_of(one.input[0])
    return name
