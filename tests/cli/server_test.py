"""`estimator-slim bench --server`: two models of a running server, asked over gRPC."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf

from estimator_slim.cli import exit_codes
from tests.cli.bench_test import BENCH, FEW
from tests.cli.command_test import adding
from tests.support.by_hand import servable
from tests.support.processes import run_python

predict_pb2 = pytest.importorskip("tensorflow_serving.apis.predict_pb2")
prediction_service_pb2_grpc = pytest.importorskip("tensorflow_serving.apis.prediction_service_pb2_grpc")


class Serving(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, answered by servables: what TensorFlow Serving does for a request."""

    def __init__(self, **directories: str) -> None:
        self._models = {name: tf.compat.v2.saved_model.load(path) for name, path in directories.items()}
        self.asked: Counter[str] = Counter()

    def Predict(self, request: Any, context: Any) -> Any:
        name = request.model_spec.name
        if name not in self._models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({name})")
        answer = self._models[name].signatures[request.model_spec.signature_name](
            **{key: tf.constant(tf.make_ndarray(one)) for key, one in request.inputs.items()})
        self.asked[name] += 1
        response = predict_pb2.PredictResponse()
        for key, value in answer.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return response


@pytest.fixture(scope="module")
def original(tmp_path_factory: Any) -> str:
    return servable(tmp_path_factory.mktemp("served"), adding)


@pytest.fixture(scope="module")
def serving(original: str) -> Serving:
    return Serving(best=original, slim=original)


@pytest.fixture(scope="module")
def address(serving: Serving) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(serving, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_both_models_of_the_server_are_asked(
        original: str, address: str, serving: Serving) -> None:
    done = run_python(*BENCH, original, original, *FEW, "--json", f"--server={address}",
                      "--models=best,slim")
    assert (done.returncode, done.stderr) == (exit_codes.DONE, "round 1 of 1\n")
    measured = json.loads(done.stdout)["measured"]
    assert "median of a batch of 3, ms" in measured
    assert "load, ms" not in measured
    assert min(serving.asked["best"], serving.asked["slim"]) >= 1 + 2 * (10 + 1)


def test_a_model_that_the_server_does_not_have_is_told(
        original: str, address: str) -> None:
    done = run_python(*BENCH, original, original, *FEW, f"--server={address}", "--models=best,other")
    assert (done.returncode, done.stdout) == (exit_codes.FAILED, "")
    assert "estimator-slim: other cannot be measured (" in done.stderr
    assert "Traceback" not in done.stderr


def test_versions_are_models_of_the_name_of_their_folder() -> None:
    from argparse import Namespace

    from estimator_slim.cli.bench import _models
    given = Namespace(models=None, a="export/best/17", b=str(Path("/srv/best-slim/17")))
    assert _models(given) == ["best", "best-slim"]
