"""Who reads what in a graph, and who waits for whom."""

from __future__ import annotations

from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.graph import Consumers, Graph, Interface


def graph(nodes: dict[str, list[str]], *, fed: str = "x", fetched: str = "y") -> Graph:
    """Nodes by name, with what they read; one signature feeds and fetches a tensor each."""
    signature = meta_graph_pb2.SignatureDef()
    signature.inputs["in"].name, signature.outputs["out"].name = f"{fed}:0", f"{fetched}:0"
    return Graph({name: NodeDef(name=name, op="Any", input=read) for name, read in nodes.items()},
                 Interface({"serving_default": signature}))


CONSUMERS = Consumers(graph({
    "x": [], "split": ["x"], "left": ["split", "split:0"], "right": ["split:1", "^left"],
    "y": ["left", "right", "^split"]}))


def pairs(found: list[tuple[NodeDef, int]]) -> list[tuple[str, int]]:
    return [(node.name, index) for node, index in found]


def test_consumers_of_a_tensor_read_that_output_alone() -> None:
    assert pairs(CONSUMERS.of("split")) == pairs(CONSUMERS.of("split:0")) == [("left", 0), ("left", 1)]
    assert pairs(CONSUMERS.of("split:1")) == [("right", 0)]
    assert CONSUMERS.of("y") == CONSUMERS.of("nobody") == []


def test_consumers_of_a_node_read_any_output_and_others_wait_for_it() -> None:
    assert pairs(CONSUMERS.of_node("split")) == [("left", 0), ("left", 1), ("right", 0)]
    assert pairs(CONSUMERS.waiting_for("split")) == [("y", 2)]
    assert [node.name for node in CONSUMERS.after("split")] == ["left", "right", "y"]
    assert CONSUMERS.outputs_read("split") == [0, 1]
    assert not CONSUMERS.after("y") and not CONSUMERS.outputs_read("y")


def test_consumers_in_the_body_of_a_function_are_found_by_the_names_that_it_uses() -> None:
    found = Consumers(graph({"called": ["argument"], "after": ["called:output:0", "called:more:0"]}))
    assert pairs(found.of_node("argument")) == [("called", 0)]
    assert pairs(found.of_node("called")) == [("after", 0), ("after", 1)]


def test_an_only_consumer_is_one_that_nobody_else_watches() -> None:
    found = Consumers(graph({"x": [], "a": ["x"], "b": ["a"], "c": ["b"], "y": ["c", "^b"]}))
    only = found.only("a")
    assert only is not None and pairs([only]) == [("b", 0)]
    assert found.obstacle("x") == "a signature feeds 'x'"
    assert found.obstacle("y") == "a signature fetches 'y'"
    assert found.obstacle("b") == "a control dependency goes through 'b'"
    assert CONSUMERS.obstacle("split:1") == "a control dependency goes through 'split'"
    assert Consumers(graph({"x": [], "a": ["x"], "y": ["a", "a"]})).obstacle("a") == "2 nodes read 'a'"


def test_a_consumer_whose_second_output_is_in_use_is_not_the_only_one() -> None:
    found = Consumers(graph({"x": [], "a": ["x"], "split": ["a"], "y": ["split:1"]}))
    assert found.only("a") is None
    assert found.obstacle("a") == "more than one output of 'split' is in use"


def test_edits_that_come_later_do_not_count() -> None:
    edited = graph({"x": [], "y": ["x"]})
    found = Consumers(edited)
    edited.nodes["z"] = NodeDef(name="z", op="Any", input=["x"])
    assert pairs(found.of("x")) == [("y", 0)]
