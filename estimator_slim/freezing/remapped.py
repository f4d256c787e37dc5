"""Variables of which TensorFlow's graph optimizer would make another model, were they constants.

Its remapper (on by default) makes one operation of several, and with some it does so only where what it
reads is a Const. Of these two are wrong, so that the slim servable would not answer as its original:

    layer normalisation (Mean, SquaredDifference, Rsqrt, gamma, beta) → _MklLayerNorm, with an epsilon
        of 0.001 whatever the graph says; over the middle axes → _MklFusedInstanceNorm, which takes gamma
        and beta for one number a channel whatever their shapes, and reads beyond them
    Maximum(x, alpha * x) → LeakyRelu, also where alpha is above 1

Read from a variable, gamma, beta and alpha keep both from matching.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from estimator_slim.graph import VARIABLE_OPS, Consumers, Graph, names, operations

_PASSING = ("Identity", "Cast", "Enter")
_SUMS, _PRODUCTS = ("Add", "AddV2"), ("Mul", "RealDiv", "Div")
_SQUARES, _ROOTS = ("SquaredDifference", "Square", "Pow", "Mul"), ("Rsqrt", "Sqrt", "Pow")
_READS = ("ReadVariableOp", "ResourceGather", "ResourceGatherNd")


def remapped_if_constant(graph: Graph) -> set[str]:
    """The variable nodes of `graph` that have to stay variables."""
    consumers = Consumers(graph)
    operands = {*_of_normalisations(graph, consumers), *_of_leaky_rectifiers(graph, consumers)}
    return {name for tensor in operands for name in _variables_behind(graph, tensor)}


def _of_normalisations(graph: Graph, consumers: Consumers) -> Iterator[str]:
    """The tensors that scale and shift what is divided by its deviation: gamma and beta."""
    means = [node for node in graph.nodes.values() if node.op == "Mean"
             and graph.nodes[_behind(graph, node.input[0])].op in _SQUARES]
    for mean in means:
        variance = _through(consumers, {mean.name}, (*_PASSING, *_SUMS, "Maximum"))
        deviation = _through(consumers, _reading(consumers, variance, _ROOTS),
                             (*_PASSING, "Reciprocal", "Inv"))
        products = _through(consumers, _reading(consumers, deviation, _PRODUCTS),
                            (*_PASSING, *_PRODUCTS))
        for name in products | _reading(consumers, products, ("Sub",)):
            yield from names.data_inputs(graph.nodes[name])


def _of_leaky_rectifiers(graph: Graph, consumers: Consumers) -> Iterator[str]:
    """The alphas of Maximum(x, alpha * x)."""
    for node in graph.nodes.values():
        if node.op == "Maximum":
            for tensor in node.input[:2]:
                product = graph.nodes[_behind(graph, tensor)]
                if product.op == "Mul":
                    yield from product.input[:2]


def _behind(graph: Graph, tensor: str) -> str:
    """The node that `tensor` comes from, before Identity and Cast."""
    name = names.node_of(tensor)
    while graph.nodes[name].op in _PASSING:
        name = names.node_of(graph.nodes[name].input[0])
    return name


def _through(consumers: Consumers, start: Iterable[str], ops: Collection[str]) -> set[str]:
    """The nodes `start`, and all that are reached from them through nodes of `ops`."""
    reached, todo = set(start), list(start)
    while todo:
        for node, _ in consumers.of_node(todo.pop()):
            if node.op in ops and node.name not in reached:
                reached.add(node.name)
                todo.append(node.name)
    return reached


def _reading(consumers: Consumers, read: Iterable[str], ops: Collection[str]) -> set[str]:
    """The nodes of `ops` that read one of the nodes `read`."""
    return {node.name for name in read for node, _ in consumers.of_node(name) if node.op in ops}


def _variables_behind(graph: Graph, tensor: str) -> set[str]:
    """The variables that `tensor` is made of, if it is made of them and of constants alone."""
    found, fed = set(), set(map(names.node_of, graph.interface.fed))
    for name in graph.ancestors([names.node_of(tensor)]):
        node = graph.nodes[name]
        if node.op in VARIABLE_OPS:
            found.add(name)
        elif name in fed or not (node.op in _READS or _is_pure(node.op)):
            return set()
    return found


def _is_pure(op: str) -> bool:
    return operations.is_registered(op) and not operations.is_stateful(op)
