"""Outputs that a request itself changes are not compared, and said to be; those beside them are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Report, VerificationError, optimize_saved_model
from estimator_slim.graph.graph import Graph
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms.base import Transform
from estimator_slim.verify import gate
from estimator_slim.verify.comparison.changing import changed_by_requests
from tests.support.by_hand import servable, v1, variable

KERNEL = np.random.default_rng(5).normal(size=(4, 3)).astype(np.float32)


def features() -> tuple[Any, Any]:
    x = v1.placeholder(tf.float32, [None, 4], "x")
    return x, tf.nn.softmax(tf.matmul(x, variable("kernel", KERNEL)))


def a_streaming_mean() -> Any:
    x, scores = features()
    mean, update = v1.metrics.mean(scores)
    return {"x": x}, {"scores": scores, "mean": mean, "update": update}


def a_streaming_mean_of_the_old_kind() -> Any:
    x, scores = features()
    total = v1.get_variable("total", [], initializer=tf.zeros_initializer(), use_resource=False)
    return {"x": x}, {"scores": scores, "mean": total / 2, "update": v1.assign_add(total, scores[0, 0])}


def a_count_of_requests() -> Any:
    x, scores = features()
    count = v1.get_variable("count", [], tf.int64, tf.zeros_initializer(), use_resource=True)
    with tf.control_dependencies([count.assign_add(1)]):
        return {"x": x}, {"scores": scores, "number": count.read_value()}


def what_was_seen_before() -> Any:
    x, scores = features()
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
    key = tf.argmax(scores, 1)
    with tf.control_dependencies([table.insert(key, scores[:, 0])]):
        return {"x": x}, {"scores": scores, "seen": table.lookup(key) * 2}


def a_count_in_a_function() -> Any:
    x, scores = features()
    count = v1.get_variable("count", [], initializer=tf.zeros_initializer(), use_resource=True)

    @tf.function
    def counted(scores: Any) -> Any:
        return scores[:, 0] * 0 + count.assign_add(1.0)
    return {"x": x}, {"scores": scores, "number": counted(scores)}


def a_count_in_a_loop() -> Any:
    x, scores = features()
    count = v1.get_variable("count", [], initializer=tf.zeros_initializer(), use_resource=True)

    @tf.function
    def counted() -> Any:
        number = 0.0
        for _ in tf.range(3):
            number = count.assign_add(1.0)
        return number
    return {"x": x}, {"scores": scores, "number": counted()}


NETWORKS: dict[Callable[[], Any], set[str]] = {
    a_streaming_mean: {"mean", "update"}, a_streaming_mean_of_the_old_kind: {"mean", "update"},
    a_count_of_requests: {"number"}, what_was_seen_before: {"seen"},
    a_count_in_a_function: {"number"}, a_count_in_a_loop: {"number"}}


@pytest.fixture(params=NETWORKS, ids=lambda network: network.__name__)
def changing(request: Any, tmp_path: Path) -> tuple[str, set[str]]:
    """A servable, and those of its outputs that requests change."""
    def at_load() -> Any:
        return v1.group(v1.local_variables_initializer(), v1.tables_initializer())
    return servable(tmp_path, request.param, main_op=at_load), NETWORKS[request.param]


def optimized(source: str, folder: Path, transforms: Any) -> Report:
    report = optimize_saved_model(source, folder / "slim", transforms, verify="enforce", fallback=False)
    assert report is not None
    return report


def test_they_are_left_out_and_named_without_asking_twice_and_the_others_are_compared(
        changing: tuple[str, set[str]], tmp_path: Path, monkeypatch: Any) -> None:
    source, outputs = changing
    asked: list[str] = []
    ask = gate.ask_within

    def counting(job: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(job.directory)
        return ask(job, *arguments, **options)

    monkeypatch.setattr(gate, "ask_within", counting)
    found = optimized(source, tmp_path, "fold_constants").verification
    assert [output.output for output in found.outputs] == ["scores"]
    assert asked.count(source) == 1
    assert len(found.unverified) == len(outputs)
    for why, output in zip(found.unverified, sorted(outputs)):
        assert f"output {output!r} of signature 'serving_default': requests themselves change" in why


class SoftmaxLeftOut(Transform):
    """Breaks the servable."""

    text_name = "softmax_left_out"

    def rewrite(self, graph: Graph) -> None:
        for node in graph.nodes.values():
            if node.op == "Softmax":
                node.op = "Identity"


def test_what_is_broken_beside_them_is_caught(tmp_path: Path) -> None:
    with pytest.raises(VerificationError) as raised:
        optimized(servable(tmp_path, what_was_seen_before), tmp_path, [SoftmaxLeftOut()])
    assert {failure.output for failure in raised.value.report.verification.failures} == {"scores"}


def test_what_is_only_read_is_compared(tmp_path: Path) -> None:
    def network() -> Any:
        x, scores = features()
        steps = v1.get_variable("steps", [], tf.int64, tf.zeros_initializer(), use_resource=True)
        v1.assign_add(steps, 1)  # in the graph, as training leaves it, but in no request
        return {"x": x}, {"scores": scores, "steps": steps.read_value()}
    assert changed_by_requests(read_servable(servable(tmp_path, network)).graph) == {}


def test_what_another_signature_writes_is_compared(tmp_path: Path) -> None:
    def network() -> Any:
        x, scores = features()
        count = v1.get_variable("count", [], initializer=tf.zeros_initializer(), use_resource=True)
        return {"serving_default": ({"x": x}, {"scores": scores, "count": count.read_value() * 1}),
                "counting": ({"x": x}, {"count": tf.identity(count.assign_add(1.0))})}
    found = changed_by_requests(read_servable(servable(tmp_path, network)).graph)
    assert found == {("counting", "count"): "count"}


def test_what_is_written_in_a_branch_that_may_never_be_taken_is_compared(tmp_path: Path) -> None:
    def network() -> Any:
        x, scores = features()
        mean = v1.get_variable("mean", [3], initializer=tf.zeros_initializer(), use_resource=True)
        training = v1.placeholder_with_default(False, [])
        kept = v1.cond(training, lambda: mean.assign(scores[0]), lambda: mean.read_value())
        return {"x": x}, {"scores": scores - kept}
    assert changed_by_requests(read_servable(servable(tmp_path, network)).graph) == {}
