"""TensorFlow Serving's warm-up records, PredictionLog protos, as requests and back.

The protos are those of the package `tensorflow-serving-api`, which is imported when it is needed.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.verify.request import Request

WARM_UP_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
INSTALL = "pip install tensorflow-serving-api (with --no-deps beside tensorflow-cpu)"
_ORIGIN = "warm-up"


def is_installed() -> bool:
    """True if PredictionLogs can be read and written."""
    try:
        _protos()
    except ImportError:
        return False
    return True


def parse(record: bytes) -> Any:
    """The PredictionLog in a record.

    Raises:
      ImportError: the package is not installed.
      google.protobuf.message.DecodeError: it is none.
    """
    return _protos().PredictionLog.FromString(record)


def requests_of(log: Any) -> list[Request]:
    """What a PredictionLog asks; [] for kinds that ask no signature.

    Raises:
      ValueError: a tensor in it cannot be read.
    """
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()}
        return [_request(request.model_spec, inputs)]
    if kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        return [_request(request.model_spec, {"inputs": _examples(request.input)})]
    if kind == "multi_inference_log":
        request = log.multi_inference_log.request
        return [_request(task.model_spec, {"inputs": _examples(request.input)})
                for task in request.tasks]
    return []


def predict_record(request: Request, model_name: str) -> bytes:
    """A record that asks `request`, of arrays only, by Serving's Predict."""
    log = _protos().PredictionLog()
    asked = log.predict_log.request
    asked.model_spec.name, asked.model_spec.signature_name = model_name, request.signature
    for key, value in request.inputs.items():
        asked.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return log.SerializeToString(deterministic=True)


def _protos() -> Any:
    from tensorflow_serving.apis import prediction_log_pb2
    return prediction_log_pb2


def _request(model_spec: Any, inputs: dict[str, Any]) -> Request:
    return Request(model_spec.signature_name or "serving_default", inputs, _ORIGIN)


def _examples(given: Any) -> np.ndarray:
    """Serialized Examples, [rows]; as in Serving, what they share stands first in each."""
    kind = given.WhichOneof("kind")
    shared = (given.example_list_with_context.context.SerializeToString()
              if kind == "example_list_with_context" else b"")
    listed = getattr(given, kind).examples if kind else []
    result = np.empty(len(listed), object)
    result[:] = [shared + example.SerializeToString() for example in listed]
    return result
