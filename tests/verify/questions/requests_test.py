"""What is asked: real requests where there are any, made-up ones where not, edge cases always."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.saved_model.reader import Servable, read_servable
from estimator_slim.verify.questions.cases import TYPICAL
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.questions.sources import questions_for
from tests.support.models.zoo import examples, texts

EXAMPLES = examples({"words": ["turn", "on"]}, {"words": ["stop"]})


def origins(servable: Servable, **sources: Any) -> dict[str, list[str]]:
    """Signature → the origins of its requests, in order."""
    result = defaultdict(list)
    for request in questions_for(servable, **sources):
        result[request.signature].append(request.origin)
    return dict(result)


def edges(servable: Servable, signature: str) -> list[str]:
    return [request.origin for request in made_up_requests(servable)
            if request.signature == signature and request.origin != TYPICAL.name]


def input_fn() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(({"words": [["turn", "on"]]}, [["on"]]))


@pytest.fixture()
def original(exported: Callable[[str], str]) -> Servable:
    """Its signatures parse Examples, but for `parsed:predict`, which takes sparse words."""
    return read_servable(exported("receiver_alternatives"))


@pytest.fixture()
def file(tmp_path: Path) -> str:
    with tf.io.TFRecordWriter(str(tmp_path / "file")) as writer:
        for example in EXAMPLES:
            writer.write(example)
    return str(tmp_path / "file")


@pytest.fixture()
def warm(tmp_path: Path, exported: Callable[[str], str]) -> Servable:
    """The same with one warm-up record, for `predict`."""
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    directory = tmp_path / "1"
    shutil.copytree(exported("receiver_alternatives"), directory)
    (directory / "assets.extra").mkdir()
    log = logs.PredictionLog()
    log.predict_log.request.model_spec.signature_name = "predict"
    log.predict_log.request.inputs["examples"].CopyFrom(tf.make_tensor_proto(EXAMPLES))
    with tf.io.TFRecordWriter(str(directory / "assets.extra/tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
    return read_servable(str(directory))


def test_without_real_requests_all_are_made_up(original: Servable) -> None:
    assert repr(questions_for(original, seed=5)) == repr(made_up_requests(original, seed=5))


def test_real_requests_take_the_place_of_the_typical_batch(original: Servable, file: str) -> None:
    asked = origins(original, examples=file)
    for signature in ("predict", "serving_default", "classification"):
        assert asked[signature] == ["file", *edges(original, signature)]


def test_a_signature_without_real_requests_keeps_its_typical_batch(original: Servable,
                                                                   file: str) -> None:
    signature = "parsed:predict"
    assert origins(original, examples=file)[signature] == [TYPICAL.name, *edges(original, signature)]


def test_for_each_signature_the_input_fn_goes_before_warm_up_and_that_before_the_file(
        original: Servable, warm: Servable, file: str) -> None:
    assert origins(warm)["predict"][0] == "warm-up"
    assert origins(warm)["classification"][0] == TYPICAL.name
    both = origins(warm, examples=file)
    assert (both["predict"][0], both["classification"][0]) == ("warm-up", "file")
    assert "file" not in both["predict"]
    everything = origins(warm, examples=file, input_fn=input_fn)
    assert {asked[0] for asked in everything.values()} == {"input_fn"}
    assert not {"file", "warm-up"} & {origin for asked in everything.values() for origin in asked}


def test_labels_come_with_the_requests_of_the_input_fn(original: Servable) -> None:
    asked = [r for r in questions_for(original, input_fn=input_fn) if r.origin == "input_fn"]
    assert len(asked) == len(original.graph.interface.served())
    for request in asked:
        np.testing.assert_array_equal(request.labels, [texts("on")])
