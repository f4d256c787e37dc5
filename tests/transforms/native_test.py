"""The engine's transforms: what TensorFlow's own tool loses or changes is still there and the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.transforms import TRANSFORMS
from tests.support.alike import assert_same_answers
from tests.support.ask import ask
from tests.support.by_hand import (
    answers,
    meta_graph,
    request_nodes,
    request_ops,
    servable,
    slim,
    v1,
    variable,
)

ALL = ("strip_unused_nodes remove_nodes(op=Identity, op=CheckNumerics) fold_constants "
       "fold_batch_norms fold_old_batch_norms merge_duplicate_nodes remove_device "
       "sort_by_execution_order")
KERNEL = np.random.default_rng(3).normal(size=(3, 4)).astype(np.float32)
X = np.random.default_rng(4).normal(size=(2, 3)).astype(np.float32)
EACH = pytest.mark.parametrize("transforms", [
    "remove_nodes(op=Identity)", "fold_constants", "fold_batch_norms", "fold_old_batch_norms",
    "merge_duplicate_nodes", "remove_device", "sort_by_execution_order",
    "round_weights(num_steps=1000000)", ALL])


def placeholder() -> Any:
    return v1.placeholder(tf.float32, [None, 3], "x")


def dense(x: Any) -> Any:
    return tf.matmul(x, variable("kernel", KERNEL))


@EACH
def test_versions_and_the_functions_of_loops_are_kept(tmp_path: Path, transforms: str) -> None:
    def network() -> Any:
        x = placeholder()

        @tf.function
        def inner(a: Any) -> Any:
            return tf.nn.relu(a) + 1.0

        def turn(i: Any, a: Any) -> Any:
            return i + 1, inner(a) * inner(-a)

        return {"x": x}, {"y": tf.while_loop(lambda i, _: i < 2, turn, [0, dense(x)])[1]}

    source = servable(tmp_path, network)
    path, _ = slim(source, transforms)
    before, after = (meta_graph(d).graph_def for d in (source, path))
    assert before.versions.producer == after.versions.producer > 0
    assert before.versions.min_consumer == after.versions.min_consumer
    assert {f.signature.name for f in after.library.function} == {
        f.signature.name for f in before.library.function} != set()
    assert_same_answers(path, source, {"x": X})


@EACH
def test_an_input_that_may_be_left_out_may_still_be(tmp_path: Path, transforms: str) -> None:
    def network() -> Any:
        x = v1.placeholder_with_default(X, [None, 3], "x")
        return {"x": x}, {"y": dense(x) + 1.0}

    source = servable(tmp_path, network)
    path, _ = slim(source, transforms)
    assert request_ops(path)["PlaceholderWithDefault"] == 1
    assert_same_answers(path, source, {}, {"x": X[:1] * 2})


@pytest.mark.parametrize("steps", [2, 16, 2**30])
def test_rounded_weights_are_near_the_weights(tmp_path: Path, steps: int) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 8], "x")
        return {"x": x}, {"y": tf.matmul(x, tf.constant(kernel))}

    kernel = np.random.default_rng(3).normal(size=(8, 8)).astype(np.float32)
    source = servable(tmp_path, network)
    path, _ = slim(source, f"round_weights(num_steps={steps})", verify="off")
    rounded = answers(path, {"x": np.eye(8)})["y"]
    assert len(np.unique(rounded)) <= steps + 1  # the greatest has its own
    step = (kernel.max() - kernel.min()) / steps
    np.testing.assert_allclose(rounded, kernel, rtol=1e-5, atol=0.51 * step)


@pytest.mark.parametrize("steps", [-1, 0, 1, 2**31])
def test_a_number_of_values_that_rounds_nothing_is_an_error_at_construction(steps: int) -> None:
    with pytest.raises(OptionError, match=f"takes 2 to 1073741824 values, got {steps}$"):
        TRANSFORMS["round_weights"](num_steps=steps)


@EACH
def test_tables_are_there_and_filled_by_the_init_op(tmp_path: Path, transforms: str) -> None:
    def network() -> Any:
        words = v1.placeholder(tf.string, [None], "words")
        path = tmp_path / "words.txt"
        path.write_text("turn\non\n", encoding="utf-8")
        ids = v1.lookup.StaticHashTable(tf.lookup.TextFileInitializer(
            str(path), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER), -1).lookup(words)
        names = v1.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(
            tf.constant([0, 1], tf.int64), ["TURN", "ON"]), "?").lookup(ids)
        return {"words": words}, {"ids": ids, "names": names}

    source = servable(tmp_path, network)
    (tmp_path / "words.txt").unlink()  # only the asset is left
    path, _ = slim(source, transforms)
    for key in ("table_initializer", "saved_model_main_op"):
        assert (meta_graph(path).collection_def[key].SerializeToString()
                == meta_graph(source).collection_def[key].SerializeToString())
    assert_same_answers(path, source, {"words": np.array([b"on", b"turn", b"new"], object)})
    assert answers(path, {"words": [b"on"]})["names"].tolist() == [b"ON"]


@EACH
def test_outputs_that_are_not_a_nodes_first_stay(tmp_path: Path, transforms: str) -> None:
    def network() -> Any:
        x = placeholder()
        best = tf.math.top_k(dense(x), 2)
        left, middle, right = tf.split(x, 3, axis=1)
        return {"x": x}, {"which": best.indices, "right": right, "middle": tf.identity(middle)}

    source = servable(tmp_path, network)
    path, _ = slim(source, transforms)
    outputs = meta_graph(path).signature_def["serving_default"].outputs
    assert outputs["which"].name.endswith(":1")
    assert outputs["right"].name.endswith(":2")
    assert_same_answers(path, source, {"x": X}, {"x": X[:0]})


@EACH
def test_what_is_fed_in_mid_graph_is_what_counts(tmp_path: Path, transforms: str) -> None:
    def network() -> Any:
        x = placeholder()
        middle = tf.identity(dense(x) * 2.0, "middle")
        left, right = tf.split(middle, 2, axis=1)
        constant = tf.constant(2.0) * tf.constant(3.0)
        return {"serving_default": ({"x": x}, {"y": left * right * constant}),
                "middle": ({"middle": middle}, {"y": left * right * constant}),
                "right": ({"x": x, "right": right}, {"y": left * right * constant}),
                "constant": ({"x": x, "constant": constant}, {"y": left * right * constant})}

    source = servable(tmp_path, network)
    path, _ = slim(source, transforms)
    requests = ({"x": X, "middle": np.ones((5, 4)), "right": np.ones((2, 2)), "constant": 4.0},
                {"x": X, "middle": np.full((1, 4), 3.0), "right": np.full((2, 2), 7.0),
                 "constant": 0.0})
    got, wanted = (ask(d, requests, optimizer=False) for d in (path, source))
    for key, answer in wanted.items():
        np.testing.assert_allclose(got[key]["y"], answer["y"], rtol=1e-6, err_msg=str(key))
    np.testing.assert_array_equal(got["constant", 1]["y"], np.zeros((2, 2)))


def test_folded_constants_have_the_same_names_and_files_the_same_bytes_every_time(
        tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder()
        product = x
        for number in range(3):
            product *= tf.exp(tf.constant(0.1 * number) + 1.0)
        return {"x": x}, {"y": dense(product)}

    source = servable(tmp_path, network)
    paths = [slim(source, ALL)[0] for _ in range(3)]
    first, *others = [Path(path, "saved_model.pb").read_bytes() for path in paths]
    assert all(other == first for other in others)
    assert not any("__cf__" in node.name for node in request_nodes(paths[0]))
    assert request_ops(paths[0])["Exp"] == 0


@EACH
def test_asserts_that_hang_on_control_edges_go_on_refusing(tmp_path: Path, transforms: str) -> None:
    def network() -> Any:
        x = placeholder()
        too_large = tf.raw_ops.Assert(condition=tf.reduce_all(x < 50.0), data=["too large", x])
        with tf.control_dependencies([too_large]):
            first = tf.identity(x)
        with tf.control_dependencies([first]):
            again = tf.identity(tf.identity(first))
        return {"x": x}, {"y": dense(again), "echo": again}

    source = servable(tmp_path, network)
    path, _ = slim(source, transforms)
    assert request_ops(path)["Assert"] == request_ops(source)["Assert"] == 1
    assert answers(path, {"x": X * 1000}) == answers(source, {"x": X * 1000})
    assert_same_answers(path, source, {"x": X}, {"x": X * 1000}, {"x": X[:0]})


def test_an_identity_that_something_waits_for_stays_and_the_report_says_why(tmp_path: Path) -> None:
    def network() -> Any:
        x = placeholder()
        with tf.control_dependencies([v1.assert_less(x, 50.0)]):
            checked = tf.identity(x, "checked")
        return {"x": x}, {"y": tf.identity(tf.identity(dense(checked))) + 1.0}

    path, report = slim(servable(tmp_path, network), "remove_nodes(op=Identity)")
    assert ("checked", "a control dependency goes through it") in report.steps[0].skipped
    assert sum(not any(i.startswith("^") for i in n.input) for n in request_nodes(path)
               if n.op == "Identity") <= 1  # of the Assert's own branch


@EACH
def test_an_output_may_be_the_input_a_constant_or_shared(tmp_path: Path, transforms: str) -> None:
    def network() -> Any:
        x = placeholder()
        y = tf.identity(dense(x))
        return {"serving_default": ({"x": x}, {"x": x, "same": tf.identity(x), "y": y, "again": y,
                                               "constant": tf.constant([1, 2]) + 1}),
                "other": ({"x": x}, {"y": y})}

    source = servable(tmp_path, network)
    path, _ = slim(source, transforms)
    assert_same_answers(path, source, {"x": X})
