"""What written warm-up records promise: a server that replays them gets an answer to each."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import OptionError, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.verify.answers.asking import Job, ask_here
from estimator_slim.verify.prediction_logs import WARM_UP_FILE, parse_log, predict_record
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.questions.sources import warm_up_requests
from estimator_slim.verify.request import Refusal, Request
from estimator_slim.verify.tfrecords import read_records
from estimator_slim.verify.warm_up import write_warm_up
from tests.support.by_hand import servable, v1

Copied = Callable[[str], str]


@pytest.fixture()
def copied(exported: Callable[[str], str], tmp_path: Path) -> Copied:
    """`copied(name)`: a SavedModel of that model which a test may change."""
    def copy(name: str) -> str:
        shutil.copytree(exported(name), tmp_path / name)
        return str(tmp_path / name)
    return copy


def records(directory: str) -> list[bytes]:
    return read_records(f"{directory}/{WARM_UP_FILE}", 10_000)


def put(directory: str, contents: Sequence[bytes]) -> None:
    path = Path(directory, WARM_UP_FILE)
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for content in contents:
            writer.write(content)


def write(directory: str, count: int) -> int:
    return write_warm_up(directory, made_up_requests(read_servable(directory)), count, "intents")


def text(*values: str) -> Request:
    return Request("serving_default", {"text": np.array([v.encode() for v in values], object)}, "")


@pytest.mark.parametrize("name", ["raw_text_three_signatures", "wide_and_deep_v2",
                                  "batch_of_fixed_size", "asserts_by_control_edges"])
def test_each_signature_gets_as_many_different_single_rows_and_all_are_answered(
        name: str, copied: Copied) -> None:
    directory = copied(name)
    total = write(directory, 5)
    requests = warm_up_requests(directory)
    served = read_servable(directory).graph.interface.served()
    assert Counter(request.signature for request in requests) == dict.fromkeys(served, 5)
    assert total == len(set(records(directory))) == 5 * len(served)
    assert {len(value) for request in requests for value in request.inputs.values()} == {1}
    heard, = ask_here([Job(directory, requests, grappler=False)])
    assert not [answer for answer in heard.answers if isinstance(answer, Refusal)]


def test_records_name_the_model_and_give_every_input(copied: Copied) -> None:
    directory = copied("placeholder_with_default")
    write(directory, 3)
    for record in records(directory):
        request = parse_log(record).predict_log.request
        assert request.model_spec.name == "intents"
        assert set(request.inputs) == {"x", "factor"}
        assert tf.make_ndarray(request.inputs["factor"]).shape == ()


def test_what_the_servable_refuses_is_not_written(copied: Copied) -> None:
    directory = copied("asserts_by_control_edges")  # refuses what is over 50
    requests = [Request("serving_default", {"x": np.array([[99.0] * 3, [1.0] * 3], np.float32)}, "")]
    assert write_warm_up(directory, requests, 2, "m") == 1
    written, = warm_up_requests(directory)
    np.testing.assert_array_equal(written.inputs["x"], [[1.0] * 3])


def test_records_that_replay_stay_in_front(copied: Copied) -> None:
    directory = copied("raw_text_ragged_characters")
    old = [predict_record(text("turn on"), "m"), predict_record(text("two", "rows"), "m")]
    put(directory, old)
    assert write_warm_up(directory, [text("new", "newer", "newest")], 2, "m") == 4
    assert records(directory) == [*old, *(predict_record(text(t), "m") for t in ("new", "newer"))]


def test_writing_again_adds_nothing_that_is_there(copied: Copied) -> None:
    directory = copied("raw_text_ragged_characters")
    write_warm_up(directory, [text("new", "new")], 2, "m")
    assert write_warm_up(directory, [text("new", "new")], 2, "m") == 1


def session_run() -> bytes:
    log = parse_log(b"")
    log.session_run_log.SetInParent()
    return log.SerializeToString()


def test_records_that_do_not_replay_are_dropped_with_a_warning(
        copied: Copied, caplog: pytest.LogCaptureFixture) -> None:
    directory = copied("raw_text_ragged_characters")
    good = predict_record(text("turn on"), "m")
    put(directory, [predict_record(Request("gone", text("on").inputs, ""), "m"), good,
                    predict_record(Request("serving_default", {"text": np.ones(2)}, ""), "m"),
                    session_run(), b"\xff\xff", predict_record(Request("serving_default", {}, ""), "m")])
    assert write_warm_up(directory, [], 2, "m") == 1
    assert records(directory) == [good]
    said = dict(re.findall(r"record (\d) of .* with it: (.*)", caplog.text))
    assert list(said) == ["0", "2", "3", "4", "5"]
    for number, why in (("0", "no signature 'gone'"), ("2", "Error"), ("3", "no session_run_log"),
                        ("4", "no PredictionLog"), ("5", "takes ['text'], the record has []")):
        assert why in said[number]


def test_a_file_without_records_is_replaced(copied: Copied) -> None:
    directory = copied("assets_extra")
    assert write(directory, 1) == len(read_servable(directory).graph.interface.served())
    assert len(records(directory)) == len(warm_up_requests(directory))
    assert Path(directory, "assets.extra/notes/read me.txt").exists()


def test_sparse_inputs_which_predict_does_not_take_get_no_records(copied: Copied) -> None:
    directory = copied("receiver_alternatives")
    write(directory, 2)
    assert Counter(request.signature for request in warm_up_requests(directory)) == {
        "predict": 2, "serving_default": 2, "classification": 2}


def test_more_records_than_a_server_loads_are_refused(copied: Copied) -> None:
    directory = copied("raw_text_ragged_characters")
    old = [predict_record(text(str(number)), "m") for number in range(999)]
    put(directory, old)
    requests = [text(*map(str, range(2000, 2010)))]
    with pytest.raises(OptionError, match="warmup=2 makes 1001 .*over 1000"):
        write_warm_up(directory, requests, 2, "m")
    assert records(directory) == old
    assert write_warm_up(directory, requests, 1, "m") == 1000


def test_what_a_servable_is_asked_otherwise_becomes_its_records(tmp_path: Path) -> None:
    def one_value_in_each_row() -> tuple[dict, dict]:
        serialized = v1.placeholder(tf.string, [None], "examples")
        price = v1.io.parse_example(serialized, {"price": v1.io.VarLenFeature(tf.float32)})["price"]
        return {"examples": serialized}, {"value": tf.reshape(price.values, [tf.size(serialized), 1])}
    report = optimize_saved_model(servable(tmp_path, one_value_in_each_row), tmp_path / "slim",
                                  "fold_constants", verify="enforce", warmup=3)
    assert report is not None
    assert len(records(str(tmp_path / "slim"))) == 3
