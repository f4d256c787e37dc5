"""--slim_weights: weights are where it says, and answer alike wherever they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import DestinationError, OptionError
from estimator_slim.graph.graph import Graph
from estimator_slim.graph.interface import Interface
from estimator_slim.graph.weight import Weight
from estimator_slim.transforms.weights.placing import place_weights
from tests.support.alike import assert_same_answers
from tests.support.by_hand import (
    answers,
    meta_graph,
    request_nodes,
    servable,
    slim,
    stored,
    v1,
    variable,
)

RANDOM = np.random.default_rng(5)
LARGE = RANDOM.normal(size=(5000, 32)).astype(np.float32)    # 640 KB
KERNEL = RANDOM.normal(size=(32, 16)).astype(np.float32)     # 2 KB
BIAS = RANDOM.normal(size=16).astype(np.float32)             # 64 bytes
ASKED = {"ids": np.arange(5000)}, {"ids": np.zeros(0, np.int64)}, {"ids": np.array([5000])}


@pytest.fixture(scope="module")
def source(tmp_path_factory: Any) -> str:
    """A lookup in a large table, a small kernel, a tiny bias."""
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        rows = tf.gather(variable("large", LARGE), ids)
        y = tf.matmul(rows, variable("kernel", KERNEL)) + variable("bias", BIAS)
        return {"ids": ids}, {"y": y, "rows": rows}
    return servable(tmp_path_factory.mktemp("source"), network)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: Any) -> str:
    """The same with constants, as an export that was frozen before has them."""
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        large = tf.constant(LARGE)
        rows = tf.gather(large, ids)
        return {"ids": ids}, {"y": tf.matmul(rows, tf.constant(KERNEL)), "rows": rows,
                              "likeness": tf.matmul(rows[:5], tf.transpose(tf.constant(-LARGE)))}
    return servable(tmp_path_factory.mktemp("frozen"), network)


def constant_bytes(path: str) -> int:
    """Bytes of the largest Const that requests read."""
    return max(n.attr["value"].tensor.ByteSize() for n in request_nodes(path) if n.op == "Const")


def test_auto_keeps_up_to_256_KiB_in_the_graph_and_the_rest_in_variables(source: str) -> None:
    path, _ = slim(source, "strip_unused_nodes", weights="auto")
    assert sorted(stored(path)) == ["large"]
    assert KERNEL.nbytes <= constant_bytes(path) < 1 << 18
    assert_same_answers(path, source, *ASKED)


def test_auto_makes_a_variable_of_a_large_constant_that_nothing_is_computed_from_ahead(
        frozen: str) -> None:
    path, _ = slim(frozen, "strip_unused_nodes", weights="auto")
    [value] = stored(path).values()
    np.testing.assert_array_equal(value, LARGE)
    assert_same_answers(path, frozen, *ASKED)


@pytest.mark.skipif(tf.__version__ < "2.13", reason="TensorFlow looks up none before 2.13")
def test_ids_of_16_bits_look_up_in_variables_too(tmp_path: Path) -> None:
    def network() -> Any:
        ids = v1.placeholder(tf.int16, [None], "ids")
        return {"ids": ids}, {"rows": tf.gather(tf.identity(variable("large", LARGE)), ids)}
    source = servable(tmp_path, network)
    path, _ = slim(source, "strip_unused_nodes")
    assert_same_answers(path, source, {"ids": np.arange(5000)}, {"ids": [5000]}, {"ids": []})


def test_auto_is_the_default(source: str) -> None:
    path, _ = slim(source, "strip_unused_nodes")
    assert sorted(stored(path)) == ["large"]


def test_variables_leaves_only_tiny_values_in_the_graph(source: str) -> None:
    path, _ = slim(source, "strip_unused_nodes", weights="variables")
    assert sorted(value.shape for value in stored(path).values()) == [(32, 16), (5000, 32)]
    assert constant_bytes(path) < 1 << 10
    assert_same_answers(path, source, *ASKED)


def test_constants_leaves_no_variables(source: str) -> None:
    path, _ = slim(source, "strip_unused_nodes", weights="constants")
    assert not os.path.exists(f"{path}/variables")
    assert constant_bytes(path) >= LARGE.nbytes
    assert "VarHandleOp" not in {node.op for node in meta_graph(path).graph_def.node}
    assert_same_answers(path, source, *ASKED)


@pytest.mark.parametrize("bits", [8, 4, 16])
def test_codes_answer_alike_wherever_they_are(source: str, bits: int) -> None:
    text = f"strip_unused_nodes quantize_weights(bits={bits})"
    paths = [slim(source, text, weights=place)[0] for place in ("auto", "variables", "constants")]
    first, *others = [answers(path, ASKED[0])["rows"] for path in paths]
    for other in others:
        np.testing.assert_array_equal(other, first)
    assert np.any(first != LARGE)


def test_a_place_that_there_is_not_is_refused_with_those_there_are(source: str) -> None:
    with pytest.raises(OptionError, match="auto, variables, constants"):
        slim(source, "", weights="constant")


def graph_of(*shapes: tuple) -> Graph:
    """A graph with weights that cannot be read."""
    def read(start: int, stop: int) -> np.ndarray:
        raise AssertionError("was read")

    graph = Graph({}, Interface({}))
    for shape in shapes:
        graph.add_weight("table", Weight(tf.float32, shape, read, origin="table"))
    return graph


@pytest.mark.parametrize("shapes", [((1 << 30, 4),), ((1 << 28, 1), (1 << 28, 1))],
                         ids=["one", "together"])
def test_constants_beyond_2_GB_are_refused_before_anything_is_read_with_the_way_out(
        shapes: tuple) -> None:
    with pytest.raises(DestinationError) as refusal:
        place_weights(graph_of(*shapes), "constants")
    for part in ("weights='constants'", "2,147,483,647", "weights='auto'", "quantize_weights"):
        assert part in str(refusal.value)


def test_other_places_take_more_than_2_GB_and_read_nothing() -> None:
    for place in ("auto", "variables"):
        place_weights(graph_of((1 << 30, 4)), place)


def test_the_graph_that_is_given_stays_as_it_was(tmp_path: Path) -> None:
    graph = Graph({}, Interface({}))
    graph.add_weight("table", Weight.of_array(LARGE))
    before = graph.graph_def().SerializeToString(deterministic=True)
    place_weights(graph, "constants")
    assert graph.graph_def().SerializeToString(deterministic=True) == before
    assert list(graph.weights) == ["table"]
