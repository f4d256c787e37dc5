"""One model of a running server over gRPC, measured: what a client sees, the network included.

    python -c "from estimator_slim.cli.remote import main; main()" < job (pickle) > result (JSON)

The server is TensorFlow Serving, or another of its interface `PredictionService`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from estimator_slim.cli.apart import answer
from estimator_slim.cli.timing import Asking, asked

_METHOD = "/tensorflow.serving.PredictionService/Predict"
_DEADLINE = 60.0  # seconds, of one request


@dataclass(frozen=True)
class Remote:
    """What to measure.

    Attributes:
      server: `host:port`.
      model: its name there.
      asking: how it is asked.
    """

    server: str
    model: str
    asking: Asking


def measure(job: Remote) -> dict[str, float]:
    """Milliseconds and requests a second, each by its name."""
    import grpc
    with grpc.insecure_channel(job.server, options=[("grpc.max_receive_message_length", -1)]) as channel:
        return asked(_asking(channel, job), job.asking)


def _asking(channel: Any, job: Remote) -> Callable[[list], Any]:
    import tensorflow as tf

    from estimator_slim.serving_api import message
    kind = message("PredictRequest")
    predict = channel.unary_unary(_METHOD, request_serializer=kind.SerializeToString,
                                  response_deserializer=message("PredictResponse").FromString)

    def ask(values: list) -> Any:
        request = kind()
        request.model_spec.name, request.model_spec.signature_name = job.model, job.asking.signature
        for key, value in zip(job.asking.inputs, values):
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        return predict(request, timeout=_DEADLINE)
    return ask


def main() -> None:
    """As `measured_apart` starts it."""
    answer(measure)
