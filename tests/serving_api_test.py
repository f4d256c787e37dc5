"""Our messages are TensorFlow Serving's own, byte for byte, without its package."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.serving_api import message

apis = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")

EXAMPLE = tf.train.Example(features=tf.train.Features(feature={
    "words": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"turn", "stöp".encode()]))}))


def predict(log: Any) -> None:
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = "intents", "again"
    request.model_spec.version.value = 1_700_000_000
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(["turn on"]))
    request.inputs["ids"].CopyFrom(tf.make_tensor_proto(np.eye(2)))
    request.output_filter.append("scores")
    log.predict_log.response.outputs["scores"].CopyFrom(tf.make_tensor_proto([0.5]))


def classify(log: Any) -> None:
    log.classify_log.request.input.example_list.examples.append(EXAMPLE)


def regress_with_a_context(log: Any) -> None:
    given = log.regress_log.request.input.example_list_with_context
    given.context.CopyFrom(EXAMPLE)
    given.examples.append(tf.train.Example())
    log.regress_log.request.model_spec.version_label = "canary"


def several(log: Any) -> None:
    task = log.multi_inference_log.request.tasks.add()
    task.model_spec.signature_name, task.method_name = "ranked", "tensorflow/serving/regress"
    log.multi_inference_log.request.input.example_list.examples.append(EXAMPLE)


@pytest.mark.parametrize("fill", [predict, classify, regress_with_a_context, several])
def test_a_record_is_the_same_bytes_as_tensorflow_servings(fill: Any) -> None:
    ours, theirs = message("PredictionLog")(), apis.PredictionLog()
    fill(ours)
    fill(theirs)
    content = theirs.SerializeToString(deterministic=True)
    assert ours.SerializeToString(deterministic=True) == content
    assert message("PredictionLog").FromString(content) == ours
    assert ours.WhichOneof("log_type") == theirs.WhichOneof("log_type")


def test_what_is_not_named_here_is_kept() -> None:
    theirs = apis.PredictionLog()
    predict(theirs)
    theirs.log_metadata.sampling_config.sampling_rate = 0.25
    theirs.predict_log.request.predict_streamed_options.request_state = 1
    kept = message("PredictionLog").FromString(theirs.SerializeToString()).SerializeToString()
    assert apis.PredictionLog.FromString(kept) == theirs
