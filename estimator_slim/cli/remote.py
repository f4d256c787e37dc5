"""One model of a running server over gRPC, measured: what a client sees, the network included.

    python -c "from estimator_slim.cli.remote import main; main()" < job (pickle) > result (JSON)

The server is TensorFlow Serving, or another of its interface `PredictionService`.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from estimator_slim.cli.timing import asked

_METHOD = "/tensorflow.serving.PredictionService/Predict"
_DEADLINE = 60.0  # seconds, of one request


@dataclass(frozen=True)
class Remote:
    """What to measure.

    Attributes:
      server: `host:port`.
      model: its name there.
      signature, inputs, batches, seconds, clients: as of `Timed`.
    """

    server: str
    model: str
    signature: str
    inputs: dict[str, np.ndarray]
    batches: tuple[int, ...]
    seconds: float
    clients: int


def measure(job: Remote) -> dict[str, float]:
    """Milliseconds and requests a second, each by its name."""
    import grpc
    with grpc.insecure_channel(job.server, options=[("grpc.max_receive_message_length", -1)]) as channel:
        return asked(_asking(channel, job), job)


def _asking(channel: Any, job: Remote) -> Callable[[list], Any]:
    import tensorflow as tf

    from estimator_slim.serving_api import message
    kind = message("PredictRequest")
    predict = channel.unary_unary(_METHOD, request_serializer=kind.SerializeToString,
                                  response_deserializer=message("PredictResponse").FromString)

    def ask(values: list) -> Any:
        request = kind()
        request.model_spec.name, request.model_spec.signature_name = job.model, job.signature
        for key, value in zip(job.inputs, values):
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        return predict(request, timeout=_DEADLINE)
    return ask


def main() -> None:
    """Reads what to measure from stdin, writes what was found to stdout."""
    result = os.dup(1)
    os.dup2(2, 1)
    found = measure(pickle.load(sys.stdin.buffer))
    with os.fdopen(result, "w") as file:
        json.dump(found, file)
