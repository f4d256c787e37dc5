"""The report tells of the whole work: its phases, each counted in one way, what was asked, what with."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Report, TransformError, VerificationError, optimize_saved_model
from estimator_slim.report import Phase
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms.base import Transform
from estimator_slim.version import VERSION
from tests.support.by_hand import servable, slim, v1, variable
from tests.support.training import input_fn

TABLE = np.random.default_rng(3).normal(size=(2000, 64)).astype(np.float32)


class Failing(Transform):
    """Fails always."""

    text_name = "failing"

    def rewrite(self, graph: Any) -> None:
        raise RuntimeError("the fuse is lit")


def network() -> Any:
    ids = v1.placeholder(tf.int64, [None], "ids")
    scores = tf.gather(variable("table", TABLE), tf.math.floormod(ids, 2000))
    return {"ids": ids}, {"scores": scores, "best": tf.argmax(scores, axis=1)}


@pytest.fixture(scope="module")
def original(tmp_path_factory: Any) -> str:
    return servable(tmp_path_factory.mktemp("original"), network)


@pytest.fixture(scope="module")
def report(trained: str) -> Report:
    """Of the text classifier, verified by its input_fn and what is made up."""
    return slim(trained, "strip_unused_nodes fold_constants quantize_weights(minimum_size=1)",
                verify="report", verify_input_fn=input_fn, max_error=0.3)[1]


def named(report: Report, name: str) -> Phase:
    [found] = [phase for phase in report.phases if phase.name == name]
    return found


def test_the_phases_are_told_in_order_with_what_each_took(report: Report) -> None:
    assert [one.name for one in report.phases] == [
        "read", "questions", "freeze", "transform", "write", "verify"]
    assert [one.rung for one in report.phases] == [None, None, None, 0, 0, 0]
    assert 0 < sum(one.seconds for one in report.phases) <= report.seconds
    assert all(0 < one.peak_memory <= report.peak_memory for one in [*report.phases, *report.steps])
    assert 0 < named(report, "verify").child_peak_memory == report.child_peak_memory


def test_nodes_and_bytes_are_counted_in_one_way_from_the_original_to_the_slim_servable(
        report: Report) -> None:
    chain = [named(report, "freeze"), *report.steps, named(report, "write")]
    assert (chain[0].nodes_before, chain[0].bytes_before) == (report.nodes_before, report.bytes_before)
    assert (chain[-1].nodes_after, chain[-1].bytes_after) == (report.nodes_after, report.bytes_after)
    for one, following in zip(chain, chain[1:]):
        assert one.nodes_after == following.nodes_before
        assert one.bytes_after == following.bytes_before


@pytest.mark.parametrize("transforms", ["", "quantize_weights"])
def test_bytes_before_they_are_written_are_those_of_the_files_but_for_what_restores_them(
        original: str, transforms: str) -> None:
    write = named(slim(original, transforms)[1], "write")
    assert write.bytes_before <= write.bytes_after < write.bytes_before + 6000
    assert write.bytes_after > 130_000


def test_nodes_of_functions_count_in_every_step(exported: Any, tmp_path: Path) -> None:
    report = optimize_saved_model(exported("control_flow_functions"), tmp_path / "slim", "remove_device")
    assert report is not None
    graph = read_servable(report.destination).graph
    inside = sum(len(function.node_def) for function in graph.functions().values())
    outside = [name for name in graph.nodes if not name.startswith("save/")]
    assert inside > 10
    assert report.steps[0].nodes_after == inside + len(outside)


def test_what_was_asked_is_told_by_signature_and_kind(report: Report) -> None:
    found = report.verification
    assert found is not None
    assert sum(one.requests for one in found.questions) == found.asked
    kinds = {(one.signature, one.origin): one for one in found.questions}
    assert kinds["predict", "input_fn"].rows == 16 * 3 == found.examples
    assert not kinds["predict", "input_fn"].made_up
    assert kinds["predict", "a batch of 1"].made_up
    assert found.max_error == 0.3


def test_the_options_are_told_with_who_chose_them(report: Report) -> None:
    chosen = {one.name: (one.value, one.by) for one in report.options}
    assert chosen["transforms"] == (
        "strip_unused_nodes fold_constants quantize_weights(minimum_size=1)", "code")
    assert chosen["verify_input_fn"] == ("tests.support.training.input_fn", "code")
    assert chosen["max_error"] == (0.3, "code")
    assert chosen["suffix"] == ("-slim", "default")


def test_the_versions_are_told(report: Report) -> None:
    assert report.versions["estimator_slim"] == VERSION
    assert report.versions["tensorflow"] == tf.__version__
    assert report.versions["python"] == platform.python_version()
    assert all(report.versions.values())
    assert (report.outcome, report.error, report.tags) == ("published", None, ["serve"])


def test_a_refused_one_tells_of_every_list_with_its_bytes_and_verdict(
        original: str, tmp_path: Path) -> None:
    with pytest.raises(VerificationError) as refusal:
        optimize_saved_model(original, tmp_path / "slim/1", "quantize_weights(bits=4)", verify="enforce",
                             fallback=False, max_error=1e-9)
    report = refusal.value.report
    assert (report.outcome, report.error.type) == ("refused", "VerificationError")
    assert report.error.message == str(refusal.value)
    [tried] = report.tried
    assert (tried.verdict, tried.transforms) == ("failed", "quantize_weights(bits=4)")
    assert 0 < tried.byte_count < report.bytes_before / 5


def test_the_lists_that_fell_are_told_before_the_one_that_passed(original: str) -> None:
    report = slim(original, "quantize_weights(bits=4)", verify="enforce", fallback=True,
                  max_error=1e-9)[1]
    assert [one.verdict for one in report.tried][-1] == "passed"
    assert {one.verdict for one in report.tried[:-1]} == {"failed"}
    assert report.bytes_after == report.tried[-1].byte_count > report.tried[0].byte_count
    assert "measure" in [one.name for one in report.phases]
    assert {one.rung for one in report.phases} == {None, *range(len(report.tried))}


def test_a_failure_leaves_what_had_been_found_out_before_it(original: str, tmp_path: Path) -> None:
    from estimator_slim.choosing import resolve
    from estimator_slim.optimize import optimize
    from estimator_slim.options import FUNCTION
    from estimator_slim.recording import recorded
    with pytest.raises(TransformError), recorded(original, str(tmp_path / "slim/1"), "off") as report:
        optimize(report, resolve(FUNCTION, {"transforms": ["remove_device", Failing()]}))
    assert (report.outcome, report.error.type) == ("failed", "TransformError")
    assert [one.name for one in report.phases] == ["read", "questions", "freeze", "transform"]
    assert [step.transform for step in report.steps] == ["remove_device"]
    assert report.seconds > 0
    assert report.bytes_before > 0
