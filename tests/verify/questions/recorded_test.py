"""What requests that were recorded before promise: they are asked as they were recorded."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import OptionError
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.verify.answers.asking import Job, ask_here
from estimator_slim.verify.questions.sources import example_requests, warm_up_requests
from estimator_slim.verify.request import Refusal, Request
from tests.support.models.zoo import example, examples, texts

MODEL = "raw_text_three_signatures"
GIVEN = [{"words": ["turn", "on"]}, {"words": ["stop"]}, {}]


def write(path: Path, records: Sequence[bytes], options: str | None = None) -> str:
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for record in records:
            writer.write(record)
    return str(path)


def warm(directory: Path, records: Sequence[bytes]) -> list[Request]:
    write(directory / "assets.extra" / "tf_serving_warmup_requests", records)
    return warm_up_requests(str(directory))


@pytest.fixture()
def logs() -> Any:
    """The module of TensorFlow Serving's PredictionLog."""
    return pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")


def predict_log(logs: Any, signature: str, **inputs: Any) -> bytes:
    log = logs.PredictionLog()
    log.predict_log.request.model_spec.signature_name = signature
    for key, value in inputs.items():
        log.predict_log.request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return log.SerializeToString()


def parsed(*serialized: bytes) -> list[tf.train.Example]:
    return [tf.train.Example.FromString(one) for one in serialized]


def test_a_predict_record_is_asked_as_it_was(logs: Any, tmp_path: Path) -> None:
    first, second = warm(tmp_path, [predict_log(logs, "", text=["turn on", "stöp"]),
                                    predict_log(logs, "again", text=["x"], ids=np.eye(2))])
    assert (first.signature, first.origin) == ("serving_default", "warm-up")
    np.testing.assert_array_equal(first.inputs["text"], texts("turn on", "stöp"))
    assert second.signature == "again"
    np.testing.assert_array_equal(second.inputs["ids"], np.eye(2))


@pytest.mark.parametrize("kind", ["classify_log", "regress_log"])
def test_the_examples_of_a_classify_or_regress_record_are_asked(kind: str, logs: Any,
                                                                tmp_path: Path) -> None:
    log = logs.PredictionLog()
    request = getattr(log, kind).request
    request.model_spec.signature_name = "scores"
    request.input.example_list.examples.extend(parsed(*examples(*GIVEN)))
    asked, = warm(tmp_path, [log.SerializeToString()])
    assert asked.signature == "scores"
    assert parsed(*asked.inputs["inputs"]) == parsed(*examples(*GIVEN))


def test_what_examples_share_is_in_each_and_their_own_wins(logs: Any, tmp_path: Path) -> None:
    log = logs.PredictionLog()
    given = log.classify_log.request.input.example_list_with_context
    given.context.CopyFrom(*parsed(example(user=[7], words=["shared"])))
    given.examples.extend(parsed(*examples({"words": ["own"]}, {})))
    asked, = warm(tmp_path, [log.SerializeToString()])
    assert parsed(*asked.inputs["inputs"]) == parsed(*examples(
        {"user": [7], "words": ["own"]}, {"user": [7], "words": ["shared"]}))


def test_every_task_of_a_multi_inference_record_is_asked(logs: Any, tmp_path: Path) -> None:
    log = logs.PredictionLog()
    for signature in ("classification", "regression"):
        log.multi_inference_log.request.tasks.add().model_spec.signature_name = signature
    log.multi_inference_log.request.input.example_list.examples.extend(parsed(example()))
    asked = warm(tmp_path, [log.SerializeToString()])
    assert [request.signature for request in asked] == ["classification", "regression"]


def test_what_cannot_be_asked_is_passed_over_with_a_warning(
        logs: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    session = logs.PredictionLog()
    session.session_run_log.request.target.append("init")
    asked = warm(tmp_path, [session.SerializeToString(), b"\xff\xff", predict_log(logs, "a", x=1)])
    assert [request.signature for request in asked] == ["a"]
    assert "record 0" in caplog.text and "session_run_log" in caplog.text
    assert "record 1" in caplog.text and "no PredictionLog" in caplog.text


def test_a_damaged_file_is_read_up_to_the_damage(logs: Any, tmp_path: Path,
                                                 caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    warm(tmp_path, [predict_log(logs, "a", x=1), predict_log(logs, "b", x=1)])
    path.write_bytes(path.read_bytes()[:-3] + b"???")
    assert [request.signature for request in warm_up_requests(str(tmp_path))] == ["a"]
    assert "is damaged behind record 1" in caplog.text


def test_recorded_requests_are_answered(logs: Any, tmp_path: Path,
                                        exported: Callable[[str], str]) -> None:
    directory = tmp_path / "1"
    shutil.copytree(exported(MODEL), directory)
    requests = warm(directory, [predict_log(logs, "", text=["turn on", ""]),
                                predict_log(logs, "again", text=["turn on"]),
                                predict_log(logs, "classification", inputs=["turn on", ""])])
    heard, = ask_here([Job(str(directory), requests, grappler=False)])
    assert not [answer for answer in heard.answers if isinstance(answer, Refusal)]


def test_without_warm_up_records_there_are_none(exported: Callable[[str], str]) -> None:
    assert warm_up_requests(exported(MODEL)) == []


def test_examples_are_asked_of_every_signature_that_parses_them(
        tmp_path: Path, exported: Callable[[str], str]) -> None:
    original = read_servable(exported("receiver_alternatives"))
    path = write(tmp_path / "some.tfrecord", list(examples(*GIVEN)))
    requests = example_requests(path, original)
    assert {r.signature for r in requests} == {"predict", "serving_default", "classification"}
    for request in requests:
        examples_asked, = request.inputs.values()
        np.testing.assert_array_equal(examples_asked, examples(*GIVEN))
        assert request.origin == "some.tfrecord"
    heard, = ask_here([Job(original.directory, requests, grappler=False)])
    assert not [answer for answer in heard.answers if isinstance(answer, Refusal)]


def test_long_files_are_asked_in_batches_of_64_up_to_1024(tmp_path: Path,
                                                          exported: Callable[[str], str]) -> None:
    path = write(tmp_path / "many", [example(words=[str(n)]) for n in range(1100)])
    requests = [r for r in example_requests(path, read_servable(exported("dnn_v2_hash_mean")))
                if r.signature == "serving_default"]
    assert [len(r.inputs["inputs"]) for r in requests] == [64] * 16
    last, = parsed(requests[-1].inputs["inputs"][-1])
    assert last == parsed(example(words=["1023"]))[0]


def test_examples_go_one_by_one_to_a_signature_of_one_row(tmp_path: Path,
                                                          exported: Callable[[str], str]) -> None:
    path = write(tmp_path / "some", list(examples(*GIVEN)))
    requests = [r for r in example_requests(path, read_servable(exported("batch_of_fixed_size")))
                if r.signature == "serving_default"]
    assert [r.inputs["inputs"].tolist() for r in requests] == [[one] for one in examples(*GIVEN)]


def test_packed_files_are_unpacked(tmp_path: Path, exported: Callable[[str], str]) -> None:
    path = write(tmp_path / "some.tfrecord.gz", list(examples(*GIVEN)), "GZIP")
    original = read_servable(exported("dnn_v2_hash_mean"))
    assert len(example_requests(path, original)[0].inputs["inputs"]) == len(GIVEN)


@pytest.mark.parametrize("content", [None, b"", b"no records, but a text"])
def test_a_file_without_examples_is_told_with_the_name_of_the_option(
        content: bytes | None, tmp_path: Path, exported: Callable[[str], str]) -> None:
    path = tmp_path / "some"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OptionError, match="verify_examples: .*some .*TFRecord"):
        example_requests(str(path), read_servable(exported("dnn_v2_hash_mean")))
