"""What the strings of an input hold: serialized Examples, and whatever they are wrapped in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from estimator_slim.graph import Consumers, Graph, NodeDef, called_by, edit_bodies
from estimator_slim.verify.questions.consumers import nodes_behind, with_inner
from estimator_slim.verify.questions.parsers import PARSERS, Feature, features_of
from estimator_slim.verify.questions.wrapping import unpacking

_PASSED = ("Identity", "Reshape", "Squeeze", "ExpandDims")


def held(graph: Graph, consumers: Consumers,
         tensor: str) -> tuple[tuple[str, ...], tuple[Feature, ...]]:
    """(how its strings are wrapped, the features of the Examples in them; () where they hold none).

    Where no parser reads `tensor` itself, one that is behind it counts: of what is unpacked, or inside
    of a loop or a function, which parses one Example after the other.
    """
    features = _merged(f for node in _parsers(consumers, tensor) for f in features_of(graph, node))
    if features:
        return (), features
    nodes = nodes_behind(consumers, [node for node, _ in consumers.of(tensor)])
    inner = list(with_inner(graph, nodes))
    if not any(node.op in PARSERS for node in inner):
        return unpacking(inner), ()
    found = [f for node in nodes if node.op in PARSERS for f in features_of(graph, node)]
    return unpacking(inner), _merged([*found, *_in_bodies(graph, inner)])


def _parsers(consumers: Consumers, tensor: str) -> Iterator[NodeDef]:
    for node, index in consumers.of(tensor):
        if index == 0 and node.op in PARSERS:
            yield node
        elif index == 0 and node.op in _PASSED:
            yield from _parsers(consumers, node.name)


def _in_bodies(graph: Graph, nodes: Iterable[NodeDef]) -> Iterator[Feature]:
    """The features that the functions parse which `nodes` name."""
    called = {name for node in nodes for name in called_by(node)}
    for name, features in edit_bodies(graph.copy(), _of_body):
        if name in called:  # names in a body are not those of the graph
            yield from (replace(feature, tensor=f"{name}/{feature.tensor}") for feature in features)


def _of_body(body: Graph) -> list[Feature]:
    return [f for node in body.nodes.values() if node.op in PARSERS for f in features_of(body, node)]


def _merged(features: Iterable[Feature]) -> tuple[Feature, ...]:
    """Each once, in the order of their keys; required where one of them is."""
    found: dict[tuple[str, str], Feature] = {}
    for feature in features:
        known = found.get((feature.key, feature.place))
        if known is None or feature.required:
            found[feature.key, feature.place] = feature
    return tuple(found[key] for key in sorted(found))
