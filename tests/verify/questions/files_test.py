"""Rows in files, JSON as TensorFlow Serving's REST API takes it and .npz, are asked as they are sent."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import OptionError, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.verify.answers.asking import Job, ask_here
from estimator_slim.verify.questions.sources import example_requests
from estimator_slim.verify.request import Refusal, Request
from tests.support.by_hand import servable, v1, variable
from tests.support.models.zoo import example, texts

SERIALIZED = example(words=["turn", "on"])
B64 = {"b64": base64.b64encode(SERIALIZED).decode()}
ROWS = [{"words": ["turn", "on"]}, {"words": ["stop"]}, {}]


@pytest.fixture()
def asked(exported: Callable[[str], str], tmp_path: Path) -> Callable[..., list[Request]]:
    """`asked(model, content)`: what serving_default is asked of a file, all of which it answers."""
    def requests(model: str, content: bytes | str, name: str = "rows.json") -> list[Request]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        directory = exported(model) if "/" not in model else model
        found = example_requests(str(path), read_servable(directory))
        heard, = ask_here([Job(directory, found, grappler=False)])
        assert not [answer for answer in heard.answers if isinstance(answer, Refusal)]
        return [request for request in found if request.signature == "serving_default"]
    return requests


def words_in(request: Request) -> list[list[bytes]]:
    return [list(tf.train.Example.FromString(one).features.feature["words"].bytes_list.value)
            for one in request.inputs["inputs"]]


WORDS = [[b"turn", b"on"], [b"stop"], []]


@pytest.mark.parametrize(("content", "words"), [
    (json.dumps({"instances": ROWS}), WORDS),
    (json.dumps({"signature_name": "serving_default", "examples": ROWS}, indent=1), WORDS),
    ("\n".join(map(json.dumps, ROWS)), WORDS),
    (json.dumps(ROWS), WORDS),
    (json.dumps({"instances": [B64, B64]}), WORDS[:1] * 2),
    (json.dumps({"instances": [{"inputs": B64}]}), WORDS[:1]),
    ("\n".join([json.dumps({"instances": ROWS[:2]}), json.dumps({"instances": ROWS[2:]})]), WORDS),
    (json.dumps({"inputs": [B64]}), WORDS[:1])],
    ids=["instances", "examples", "lines", "list", "base64", "named", "requests", "column"])
def test_rows_in_json_become_examples(content: str, words: list, asked: Callable) -> None:
    request, = asked("dnn_v2_hash_mean", content)
    assert words_in(request) == words


def test_packed_lines_are_unpacked(asked: Callable) -> None:
    lines = "\n".join(map(json.dumps, ROWS)).encode()
    request, = asked("dnn_v2_hash_mean", gzip.compress(lines), "rows.jsonl.gz")
    assert words_in(request) == WORDS


def test_values_of_an_only_input_need_no_name(asked: Callable) -> None:
    request, = asked("raw_text_three_signatures", '"turn on"\n"stöp"\n')
    np.testing.assert_array_equal(request.inputs["text"], texts("turn on", "stöp"))
    assert request.origin == "rows.json"


def test_rows_of_several_inputs_are_fed_by_their_names(asked: Callable) -> None:
    request, = asked("placeholder_with_default", json.dumps({"inputs": {
        "x": [[1, 2, 3], [4, 5.5, 6]], "factor": 2}}))
    assert {key: (value.dtype, value.shape) for key, value in request.inputs.items()} == {
        "x": (np.float32, (2, 3)), "factor": (np.float32, ())}


def test_a_request_that_names_a_signature_is_asked_of_it_alone(
        exported: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "rows").write_text(json.dumps({"signature_name": "predict", "instances": ROWS}))
    original = read_servable(exported("dnn_v2_hash_mean"))
    assert {r.signature for r in example_requests(str(tmp_path / "rows"), original)} == {"predict"}
    (tmp_path / "rows").write_text(json.dumps({"signature_name": "other", "instances": ROWS}))
    with pytest.raises(OptionError, match="no signature 'other'; there are .*'predict'"):
        example_requests(str(tmp_path / "rows"), original)


def saved(tmp_path: Path, **arrays: Any) -> bytes:
    np.savez(tmp_path / "some.npz", **arrays)
    return (tmp_path / "some.npz").read_bytes()


@pytest.mark.parametrize("words", [np.array([["turn", "on"], ["stop", ""]]),
                                   np.array([[b"turn", b"on"], [b"stop", b""]])])
def test_arrays_of_features_become_examples(words: np.ndarray, asked: Callable, tmp_path: Path) -> None:
    request, = asked("dnn_v2_hash_mean", saved(tmp_path, words=words), "rows.npz")
    assert words_in(request) == WORDS[:2]


def test_many_arrays_are_asked_in_batches_of_64(asked: Callable, tmp_path: Path) -> None:
    requests = asked("tied_table_large", saved(tmp_path, ids=np.arange(1100)), "rows.npz")
    assert [len(request.inputs["ids"]) for request in requests] == [64] * 16


def test_the_parts_of_a_sparse_tensor_stay_whole(asked: Callable, tmp_path: Path) -> None:
    def network() -> tuple[dict, dict]:
        x = v1.sparse_placeholder(tf.float32, [None, 4], "x")
        kernel = variable("kernel", np.ones((4, 2), np.float32))
        return ({"x": x.indices, "x_1": x.values, "x_2": x.dense_shape},
                {"value": tf.sparse.sparse_dense_matmul(x, kernel)})
    content = saved(tmp_path, x=np.array([[0, 1], [1, 0], [1, 3]]), x_1=np.ones(3, np.float32),
                    x_2=np.array([2, 4]))
    request, = asked(servable(tmp_path, network), content, "rows.npz")
    assert set(request.inputs) == {"x", "x_1", "x_2"}


@pytest.mark.parametrize(("name", "content"), [
    ("rows.tfrecord", None), ("rows.json", json.dumps({"instances": [{"other": 1}]})),
    ("rows.jsonl", '{"words": [1, 2]}\n')])
def test_rows_that_no_signature_takes_are_an_error_that_says_what_it_takes(
        name: str, content: str | None, exported: Callable[[str], str], tmp_path: Path) -> None:
    path, model = tmp_path / name, "dnn_v2_hash_mean"
    if content is None:
        model = "raw_text_three_signatures"
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(SERIALIZED)
    else:
        path.write_text(content)
    with pytest.raises(OptionError, match=rf"verify_examples=.*{name}: no signature takes .*"
                                          r"signature 'serving_default' takes '(text|words)' of string"):
        example_requests(str(path), read_servable(exported(model)))


@pytest.mark.parametrize("content", [b'{"instances": [', b'[{"x": {"b65": "?"}}]', b"PK\x03\x04 none"])
def test_a_file_that_cannot_be_read_is_told_with_what_was_expected(
        content: bytes, exported: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(content)
    with pytest.raises(OptionError, match="verify_examples: .*rows cannot be read: .*a TFRecord"):
        example_requests(str(tmp_path / "rows"), read_servable(exported("dnn_v2_hash_mean")))


def test_what_a_file_holds_counts_as_your_examples(
        exported: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps({"instances": ROWS}))
    report = optimize_saved_model(exported("dnn_v2_hash_mean"), tmp_path / "slim", "fold_constants",
                                  verify="enforce", verify_examples=tmp_path / "rows.json")
    assert report is not None and report.verification is not None
    assert report.verification.examples == len(ROWS)
