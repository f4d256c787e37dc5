"""What the tests of folding share: the list before it, variables of random values, how near is near."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.support.alike import assert_same_answers
from tests.support.by_hand import reasons, request_nodes, servable, slim, v1, variable

PREPARE = "strip_unused_nodes remove_nodes(op=Identity) fold_constants"
FOLD = f"{PREPARE} fold_batch_norms"
NORMAL = ("Mul", "Add", "AddV2", "Sub", "RealDiv", "Rsqrt", "FusedBatchNorm", "FusedBatchNormV2",
          "FusedBatchNormV3", "BatchNormWithGlobalNormalization")
_RANDOM = np.random.default_rng(8)


def normal(*shape: int) -> Any:
    """A variable of this shape, normally distributed."""
    return _variable(_RANDOM.normal(size=shape))


def positive(*shape: int) -> Any:
    """A variable of this shape, of values between a half and two."""
    return _variable(_RANDOM.uniform(0.5, 2, size=shape))


def _variable(values: np.ndarray) -> Any:
    count = len(v1.global_variables())
    return variable(f"variable_{count}", values.astype(np.float32))


def request(*shape: int) -> dict[str, np.ndarray]:
    """Normally distributed `x`."""
    return {"x": np.random.default_rng(9).normal(size=shape).astype(np.float32)}


def placeholder(*shape: int | None) -> Any:
    return v1.placeholder(tf.float32, shape, "x")


def each_with_and_without_bias(layers: dict[str, tuple], biased: Callable) -> list[Any]:
    """Cases of (layer, bias); one of the two, in turn, is tried always."""
    kinds: dict[str, Callable] = {"no bias": lambda y: y, "bias": biased}
    return [pytest.param(layer, bias, id=f"{name}-{kind}",
                         marks=[pytest.mark.long] if (number + turn) % 2 else [])
            for number, (name, layer) in enumerate(layers.items())
            for turn, (kind, bias) in enumerate(kinds.items())]


def assert_left_alone(folder: Path, network: Callable[[], Any], reason: str, *requests: Any,
                      edit: Callable[[Any], None] = lambda node: None) -> None:
    """fold_batch_norms changes no node of what `network` builds, and says this of why.

    `edit` is given every node of the exported graph.
    """
    source = servable(folder, network)
    edit_nodes(source, edit)
    (plain, _), (path, report) = slim(source, PREPARE), slim(source, FOLD)
    assert request_nodes(path) == request_nodes(plain)
    assert reason in reasons(report)
    assert_same_answers(path, source, *requests)


def edit_nodes(directory: str, edit: Callable[[Any], None], *, producer: int | None = None) -> None:
    """Edits each node of a servable's graph, and maybe the version of TensorFlow that made it."""
    file = Path(directory, "saved_model.pb")
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    graph = model.meta_graphs[0].graph_def
    graph.versions.producer = producer or graph.versions.producer
    for node in graph.node:
        edit(node)
    file.write_bytes(model.SerializeToString())
