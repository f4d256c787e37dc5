"""What the gate promises: what does not answer as its original is not published."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import (
    OptimizingExporter,
    OptionError,
    Report,
    SourceError,
    VerificationError,
    optimize_saved_model,
)
from estimator_slim.graph.graph import Graph
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import LOSSLESS, allowed_by, transform_list
from estimator_slim.transforms.base import Transform
from estimator_slim.verify.gate import Original
from estimator_slim.verify.learning import in_turns
from estimator_slim.verify.request import Request
from tests.support.by_hand import servable, v1, variable
from tests.support.models.zoo import examples
from tests.support.processes import run_python
from tests.support.training import contents, input_fn, train, versions

KERNEL = np.random.default_rng(5).normal(size=(4, 3)).astype(np.float32)
BIAS = np.array([0.5, -0.5, 0.25], np.float32)


@dataclass(frozen=True)
class LeavingOut(Transform):
    """Breaks the servable: an operation passes its input on."""

    text_name: ClassVar[str] = "leaving_out"
    op: str = "Softmax"

    def rewrite(self, graph: Graph) -> None:
        for node in graph.nodes.values():
            if node.op == self.op:
                node.op = "Identity"


def scores(x: Any) -> Any:
    return tf.nn.softmax(tf.matmul(x, variable("kernel", KERNEL)) + variable("bias", BIAS))


def network() -> Any:
    x = v1.placeholder(tf.float32, [None, 4], "x")
    return {"x": x}, {"scores": scores(x)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: Any) -> str:
    return servable(tmp_path_factory.mktemp("gate"), network)


def optimized(source: str, folder: Path, transforms: Any, **options: Any) -> Report:
    report = optimize_saved_model(source, folder / "slim", transforms, **options)
    assert report is not None
    return report


# ---- what becomes of a slim servable


def test_a_slim_servable_that_answers_alike_is_published_with_the_evidence(
        source: str, tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "absl")
    report = optimized(source, tmp_path, "strip_unused_nodes", verify="enforce")
    found = report.verification
    assert found is not None
    assert found.passed
    assert found.answered > 0
    assert [(o.signature, o.output) for o in found.outputs] == [("serving_default", "scores")]
    assert found.outputs[0].agreement == 1.0
    assert "verified: 1 signature; " in caplog.text
    assert report.as_dict()["verification"]["outputs"][0]["output"] == "scores"
    assert versions(tmp_path) == ["slim", "slim-report.html", "slim-report.json"]


def test_one_that_answers_otherwise_is_not_published_and_leaves_no_trace(
        source: str, tmp_path: Path) -> None:
    with pytest.raises(VerificationError) as raised:
        optimized(source, tmp_path, [LeavingOut()], verify="enforce")
    assert contents(tmp_path) == {}
    message = str(raised.value)
    assert f"the slim servable of {source} is not published" in message
    assert "output 'scores' of signature 'serving_default'" in message
    assert "; request '" in message
    assert ", row " in message
    assert "verify='report'" in message
    assert raised.value.report.verification.failures[0].output == "scores"


class Lossy(LeavingOut):
    """Breaks the servable, and says that it may."""

    text_name: ClassVar[str] = "lossy"
    lossy: ClassVar[bool] = True


class Refusing(Transform):
    """Breaks the servable: nothing is answered any more."""

    text_name: ClassVar[str] = "refusing"
    lossy: ClassVar[bool] = True

    def rewrite(self, graph: Graph) -> None:
        for node in list(graph.nodes.values()):
            if node.op == "Softmax":
                graph.become(node, "CheckNumerics", [graph.add_constant("nan", np.float32(np.nan))],
                             T=tf.float32, message="never")


@pytest.mark.parametrize("broken, advice", [
    (Lossy(), "Leave out what is lossy, or publish it all the same with verify='report'"),
    (LeavingOut(), "No transform of the list is lossy: leave out the one that was added last, and "
                   "report it, or publish it all the same with verify='report'"),
    (Refusing(), "Leave out the transform that was added last, and report it")],
    ids=["lossy", "lossless", "refuses"])
def test_the_advice_fits_what_is_wrong(source: str, tmp_path: Path, broken: Any, advice: str) -> None:
    with pytest.raises(VerificationError) as raised:
        optimized(source, tmp_path, [broken], verify="enforce", max_error=0.0)
    assert str(raised.value).splitlines()[-1] == advice


def test_with_report_it_is_published_and_what_differs_is_logged(
        source: str, tmp_path: Path, caplog: Any) -> None:
    report = optimized(source, tmp_path, [LeavingOut()], verify="report")
    assert report.verification is not None
    assert not report.verification.passed
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any("does not answer as its original: output 'scores'" in line for line in warned)
    assert versions(tmp_path) == ["slim", "slim-report.html", "slim-report.json"]


def test_with_off_nothing_is_asked(source: str, tmp_path: Path) -> None:
    report = optimized(source, tmp_path, [LeavingOut()], verify="off")
    assert report.verification is None
    assert versions(tmp_path) == ["slim", "slim-report.html", "slim-report.json"]


def test_in_a_training_a_failed_verification_costs_only_that_slim_servable(
        tmp_path: Path, caplog: Any) -> None:
    exporter = tf.estimator.LatestExporter("latest", receiver)
    train(tmp_path, [OptimizingExporter(exporter, [LeavingOut()], verify="enforce")], exports=1)
    assert len(versions(tmp_path / "export/latest")) == 1
    assert versions(tmp_path / "export/latest-slim") == []
    assert "is not published, because it does not answer as the original does" in caplog.text
    assert "is not published, because it does not answer as the original does" in caplog.text


def receiver() -> Any:
    spec = {"words": tf.io.VarLenFeature(tf.string)}
    return tf.estimator.export.build_parsing_serving_input_receiver_fn(spec)()


@pytest.mark.parametrize("options, passes", [
    ({"max_error": 0.0}, False), ({"max_error": 1.0}, True), ({"min_agreement": 0.5}, True)])
def test_what_is_allowed_is_what_was_asked_for(
        trained: str, tmp_path: Path, options: dict, passes: bool) -> None:
    report = optimized(trained, tmp_path, "quantize_weights(minimum_size=1)", verify="report", **options)
    assert report.verification.passed == passes


# ---- what cannot be verified


def test_an_original_that_answers_nothing_is_published_with_a_warning(
        tmp_path: Path, caplog: Any) -> None:
    def refusing() -> Any:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        with tf.control_dependencies([v1.assert_equal(tf.size(x), -1, message="never")]):
            return {"x": x}, {"y": tf.identity(x)}
    original = servable(tmp_path, refusing)
    report = optimized(original, tmp_path / "out", "strip_unused_nodes", verify="enforce")
    assert_not_published_where_that_is_required(original, tmp_path, "the original answered none")
    assert versions(tmp_path / "out") == ["slim", "slim-report.html", "slim-report.json"]
    assert report.verification.passed
    assert "not verified" in str(report.verification)
    assert "slim is not verified: signature 'serving_default': the original answered none" in caplog.text


def assert_not_published_where_that_is_required(original: str, folder: Path, why: str) -> None:
    with pytest.raises(VerificationError, match="is not published, because little of it could be") as e:
        optimized(original, folder / "required", "strip_unused_nodes", verify="require")
    assert why in str(e.value)
    assert "Give a verify_input_fn whose features the original answers" in str(e.value)
    assert "publish it all the same with verify='enforce'" in str(e.value)
    assert contents(folder / "required") == {}


def test_one_that_refuses_most_of_what_is_usual_is_not_published_where_that_is_required(
        tmp_path: Path) -> None:
    def picky() -> Any:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        with tf.control_dependencies([v1.assert_greater(tf.reduce_max(tf.abs(x)), 1e4)]):
            checked = tf.identity(x)
        return {"x": x}, {"scores": scores(checked)}
    original = servable(tmp_path, picky)
    report = optimized(original, tmp_path / "out", "strip_unused_nodes", verify="enforce")
    assert report.verification.outputs
    assert_not_published_where_that_is_required(original, tmp_path, "refused 1 of 1 usual questions")


def test_what_was_asked_enough_is_published_where_that_is_required(
        source: str, trained: str, tmp_path: Path) -> None:
    for number, original in enumerate((source, trained)):
        optimized(original, tmp_path / str(number), "strip_unused_nodes", verify="require")
        assert versions(tmp_path / str(number)) == ["slim", "slim-report.html", "slim-report.json"]


def test_an_original_that_tensorflow_cannot_load_is_a_source_error(tmp_path: Path) -> None:
    original = servable(tmp_path, network,
                        main_op=lambda: v1.assert_greater(v1.random_uniform([]), 2.0))
    with pytest.raises(SourceError, match=f"{original} cannot be loaded by TensorFlow .*again"):
        optimized(original, tmp_path / "out", "strip_unused_nodes", verify="enforce")
    assert versions(tmp_path / "out") == []


def test_an_original_that_loads_in_this_process_only_is_asked_here(
        tmp_path: Path, caplog: Any) -> None:
    graphs = []  # functions are known for as long as the graph that they were made in

    def only_here() -> Any:
        graphs.append(v1.get_default_graph())
        return v1.py_func(lambda: np.int64(1), [], tf.int64).op

    original = servable(tmp_path, network, main_op=only_here)
    found = Original(read_servable(original), [asked()]).compare(original, LOSSLESS)
    assert found.passed
    assert found.answered == 1
    assert {r.levelno for r in caplog.records if "does not load in a new process" in r.getMessage()} == {
        logging.WARNING}


def test_an_original_that_only_this_process_can_open_is_asked_here(
        source: str, tmp_path: Path, caplog: Any) -> None:
    original, destination = "ram://gate_test/original/1", str(tmp_path / "slim" / "1")
    for folder, _, names in tf.io.gfile.walk(source):
        there = os.path.join(original, os.path.relpath(folder, source)).removesuffix("/.")
        tf.io.gfile.makedirs(there)
        for name in names:
            tf.io.gfile.copy(os.path.join(folder, name), os.path.join(there, name))
    report = optimize_saved_model(original, destination, "", verify="enforce")
    assert report is not None
    assert report.verification.passed
    assert report.verification.answered > 0
    assert tf.io.gfile.exists(f"{destination}/saved_model.pb")
    assert "does not load in a new process" in caplog.text


def test_outputs_that_the_original_itself_draws_anew_are_left_out_and_named(tmp_path: Path) -> None:
    def drawing() -> Any:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        noise = tf.raw_ops.RandomStandardNormal(shape=tf.shape(x), dtype=tf.float32)
        return {"x": x}, {"scores": scores(x), "noise": noise}
    report = optimized(servable(tmp_path, drawing), tmp_path / "out", "fold_constants", verify="enforce")
    assert report.verification.passed
    assert [o.output for o in report.verification.outputs] == ["scores"]
    assert "output 'noise' of signature 'serving_default'" in report.verification.unverified[0]
    assert_not_published_where_that_is_required(servable(tmp_path, drawing), tmp_path, "output 'noise'")


def test_a_slim_servable_that_crashes_is_named_with_the_request(source: str, tmp_path: Path) -> None:
    def aborting() -> Any:
        inputs, outputs = network()
        with tf.control_dependencies([tf.raw_ops.Abort(error_msg="the kernel gives up")]):
            return inputs, {"scores": tf.identity(outputs["scores"])}
    found = Original(read_servable(source), [asked()]).compare(servable(tmp_path, aborting), LOSSLESS)
    (failure,) = found.failures
    assert "refuses what the original answers, with Crash: SIGABRT" in failure.sentence
    assert "request 'asked'" in failure.sentence


def asked(signature: str = "serving_default") -> Request:
    return Request(signature, {"x": np.eye(4, dtype=np.float32)}, "asked")


def test_signatures_take_turns_so_that_none_is_asked_last() -> None:
    requests = [Request(key, {}, str(number)) for key in ("a", "b") for number in range(3)]
    assert [(r.signature, r.origin) for r, _ in in_turns([(one, None) for one in requests])] == [
        ("a", "0"), ("b", "0"), ("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")]


# ---- where questions come from


def test_an_input_fn_is_asked_and_its_labels_make_accuracies(trained: str, tmp_path: Path) -> None:
    report = optimized(trained, tmp_path, "strip_unused_nodes", verify="enforce",
                       verify_input_fn=input_fn)
    accuracies = {(o.signature, o.output): (o.accuracy, o.slim_accuracy)
                  for o in report.verification.outputs if o.accuracy is not None}
    assert set(accuracies) == {("predict", "classes")}
    assert all(before == after for before, after in accuracies.values())


def test_a_file_of_examples_is_asked(trained: str, tmp_path: Path) -> None:
    path = str(tmp_path / "examples.tfrecord")
    with tf.io.TFRecordWriter(path) as file:
        for example in examples(*[{"words": ["play", "a", "song"]}] * 100):
            file.write(example)
    few = optimized(trained, tmp_path / "few", "", verify="enforce")
    many = optimized(trained, tmp_path / "many", "", verify="enforce", verify_examples=path)
    rows = [sum(o.rows for o in report.verification.outputs) for report in (few, many)]
    assert rows[1] > rows[0]


@pytest.mark.parametrize("argument, message", [
    ({"verify": "yes"}, "verify: expected one of enforce, require, report, off, got 'yes'"),
    ({"max_error": "0.1"}, "max_error: expected a number from 0 to 1, got '0.1'"),
    ({"max_error": -0.1}, "max_error: expected a number from 0 to 1, got -0.1"),
    ({"min_agreement": 1.5}, "min_agreement: expected a number from 0 to 1, got 1.5"),
    ({"min_agreement": True}, "min_agreement: expected a number from 0 to 1, got True"),
    ({"verify_examples": "/no/such/file"}, "expected a TFRecord file of tf.Examples that is there"),
    ({"verify_input_fn": "input_fn"}, "verify_input_fn: expected an input_fn.*got 'input_fn'"),
    ({"warmup": -1}, "warmup: expected a number of records, 0 or more, got -1"),
    ({"warmup": 0.5}, "warmup: expected a number of records, 0 or more, got 0.5"),
], ids=str)
def test_a_wrong_argument_is_an_error_at_once(
        source: str, tmp_path: Path, argument: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        optimize_saved_model(source, tmp_path / "slim", **argument)
    with pytest.raises(OptionError, match=message):
        OptimizingExporter(tf.estimator.LatestExporter("latest", receiver), **argument)
    assert contents(tmp_path) == {}


def test_numbers_of_numpy_are_numbers(source: str, tmp_path: Path) -> None:
    report = optimized(source, tmp_path, "", verify="off", max_error=np.float32(0.5), warmup=np.int64(0))
    assert report.verification is None


@pytest.mark.parametrize("transforms, coarsest", [
    ("", ""), ("quantize_weights", "quantize_weights(bits=8)"),
    ("quantize_weights(bits=16) quantize_weights(bits=4)", "quantize_weights(bits=4)"),
    ("quantize_weights round_weights", "quantize_nodes")])
def test_the_coarsest_transform_says_what_is_allowed(transforms: str, coarsest: str) -> None:
    assert allowed_by(transform_list(transforms)) == allowed_by(transform_list(coarsest))


# ---- the shell


@pytest.fixture(scope="module")
def compared(trained: str, tmp_path_factory: Any) -> Callable[..., Any]:
    folder = tmp_path_factory.mktemp("compared")
    optimized(trained, folder, "quantize_weights(minimum_size=1)", verify="off")

    return lambda *arguments: run_python("-m", "estimator_slim", "compare", "--no-memory", trained,
                                         folder / "slim", *arguments)


def test_compare_shows_a_line_for_each_output_and_succeeds(compared: Callable) -> None:
    done = compared()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["signature", "output", "dtype"]
    assert any(line.split()[:3] == ["predict", "probabilities", "float32"] for line in lines)
    assert lines[-1].startswith("verified: 3 signatures; ")


def test_compare_fails_and_says_why_where_answers_are_too_far_apart(compared: Callable) -> None:
    done = compared("--slim_transforms=fold_constants")
    assert done.returncode == 1, done.stderr
    assert "FAILED: output 'probabilities' of signature 'predict'" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("verification failed: ")


# ---- warm-up


def test_warm_up_records_are_written_for_what_was_asked(source: str, tmp_path: Path) -> None:
    report = optimized(source, tmp_path, "", verify="enforce", warmup=2)
    file = tmp_path / "slim/assets.extra/tf_serving_warmup_requests"
    assert len(list(tf.data.TFRecordDataset(str(file)))) == 2
    sizes = [path.stat().st_size for path in (tmp_path / "slim").rglob("*") if path.is_file()]
    assert report.bytes_after == sum(sizes)

