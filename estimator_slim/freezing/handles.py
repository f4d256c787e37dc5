"""Where a variable's handle goes (loops, branches, functions, datasets), and whether it is only read."""

from __future__ import annotations

from collections.abc import Iterator

from estimator_slim.graph import CALLS, Consumers, Graph, Interface, NodeDef, attribute, operations

READS = ("ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape")
_GATHERS = ("ResourceGather", "ResourceGatherNd")
_PASS_ON = ("Identity", "Enter", "Switch")
# Operation → the input at which the arguments of its functions begin, and the attributes that name them.
_FUNCTIONS = {
    **dict.fromkeys(("While", "StatelessWhile"), (0, ("cond", "body"))),
    **dict.fromkeys(("If", "StatelessIf"), (1, ("then_branch", "else_branch"))),
    **dict.fromkeys(("Case", "StatelessCase"), (1, ("branches",))),
    **dict.fromkeys(CALLS, (0, ("f",)))}


class Handles:
    """The handles of a graph's variables, as the graph is when this is made."""

    def __init__(self, graph: Graph) -> None:
        self._functions = graph.functions()
        self._consumers = {"": Consumers(graph)}  # by function; `` is the graph

    def only_read(self, variable: str) -> bool:
        """True if nothing that gets the handle of the VarHandleOp `variable` can change its value."""
        return next(self.writers(variable), None) is None

    def writers(self, variable: str) -> Iterator[tuple[NodeDef, int, str]]:
        """(node, input index, function) of what may change the VarHandleOp `variable`; ``: the graph."""
        return (user for user in self._users(variable) if user[0].op not in READS)

    def gathers_rows(self, variable: str) -> bool:
        """True if something that gets the handle of the VarHandleOp `variable` looks up rows of it."""
        return any(node.op in _GATHERS for node, _, _ in self._users(variable))

    def _users(self, variable: str) -> Iterator[tuple[NodeDef, int, str]]:
        """(node, input index, function) of all that gets its handle and does not just pass it on."""
        todo, seen = [("", variable)], set()
        while todo:
            function, name = todo.pop()
            if (function, name) in seen:
                continue
            seen.add((function, name))
            for node, index in self._consumers_in(function).of_node(name):
                if node.op in _PASS_ON:
                    todo.append((function, node.name))
                else:
                    passed = list(self._arguments(node, index))
                    if not passed:
                        yield node, index, function
                    todo += passed

    def _consumers_in(self, function: str) -> Consumers:
        if function not in self._consumers:
            nodes = {node.name: node for node in self._functions[function].node_def}
            self._consumers[function] = Consumers(Graph(nodes, Interface({})))
        return self._consumers[function]

    def _arguments(self, node: NodeDef, index: int) -> Iterator[tuple[str, str]]:
        """(function, argument) for each function to which `node` passes its input `index` on.

        None of them where it is no call of a known function: what becomes of the handle is not known.
        """
        first, naming = _FUNCTIONS.get(node.op, (0, ()))
        for key in naming:
            value = attribute(node, key)
            for called in value.list.func or [value.func]:
                function = self._functions.get(called.name)
                if function is not None and first <= index < first + len(function.signature.input_arg):
                    yield function.signature.name, function.signature.input_arg[index - first].name
        captured = operations.captured_inputs(node)
        for value in node.attr.values() if index in captured else ():
            function = self._functions.get(value.func.name)
            if function is not None:
                arguments = function.signature.input_arg
                yield function.signature.name, arguments[index - captured.stop + len(arguments)].name
