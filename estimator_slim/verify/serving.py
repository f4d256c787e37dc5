"""One servable as TensorFlow Serving has it: loaded whole, on the CPU, asked by signature."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.graph import names
from estimator_slim.graph.interface import INIT_SIGNATURE
from estimator_slim.verify.request import Answer, Refusal, Request

_SECONDS = 60          # for one answer; then it is a refusal, as it is behind a server's deadline
_LARGEST = 1 << 20     # values of one output that are kept; of larger ones, the first rows
_WHERE = re.compile(r"\AGraph execution error:.*?\nNode: [^\n]*\n", re.DOTALL)  # Python's preface
_SPARSE_PARTS = ("indices", "values", "dense_shape")


@dataclass(frozen=True)
class Served:
    """A loaded servable.

    Attributes:
      session: in which its variables and tables stand.
      meta_graph: as loaded.
    """

    session: Any
    meta_graph: meta_graph_pb2.MetaGraphDef

    def signatures(self) -> dict[str, dict[str, str]]:
        """Signature → what it promises: its method, and dtype and shape of each input and output."""
        return {key: _promise(signature) for key, signature in self.meta_graph.signature_def.items()
                if key not in (INIT_SIGNATURE, "__saved_model_train_op")}

    def answer(self, request: Request) -> Answer:
        """The outputs of the request's signature, or the refusal."""
        options = tf.compat.v1.RunOptions(timeout_in_ms=_SECONDS * 1000)
        try:
            signature = dict(self.meta_graph.signature_def)[request.signature]
            inputs = dict(signature.inputs)
            feed = {self._element(inputs[key]): value for key, value in request.inputs.items()}
            fetch = {key: tensor for output, info in signature.outputs.items()
                     for key, tensor in fetched(output, info)}
            return _kept(self.session.run(fetch, feed, options=options))
        except (tf.errors.OpError, ValueError, TypeError, KeyError) as error:
            return refusal(error)

    def _element(self, info: meta_graph_pb2.TensorInfo) -> Any:
        """The tensor, or the sparse tensor, that an input names."""
        tensors = [self.session.graph.get_tensor_by_name(name) for _, name in fetched("", info)]
        return tensors[0] if len(tensors) == 1 else tf.SparseTensor(*tensors)


@contextlib.contextmanager
def served(directory: str, tags: Sequence[str], *, grappler: bool = True) -> Iterator[Served]:
    """The MetaGraph with these tags, loaded: variables restored, init op run with its assets.

    `grappler`: with TensorFlow's graph optimizer, as servers run it; without, small graphs load faster.
    Raises whatever TensorFlow raises where it cannot load it.
    """
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0}, allow_soft_placement=True)
    config.graph_options.rewrite_options.disable_meta_optimizer = not grappler
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        yield Served(session, tf.compat.v1.saved_model.load(session, list(tags), directory))


def refusal(error: Exception) -> Refusal:
    """What a caller gets to know of an error: its class and the first line of its text."""
    text = str(getattr(error, "message", None) or error)
    lines = _WHERE.sub("", text).strip().splitlines()
    return Refusal(type(error).__name__, lines[0][:300] if lines else "")


def fetched(output: str, info: meta_graph_pb2.TensorInfo) -> list[tuple[str, str]]:
    """(key, tensor) for an output; one for each part of a sparse or composite one."""
    parts = [name if ":" in name else f"{name}:0" for name in names.of_tensor_info(info)]
    if len(parts) == 1:
        return [(output, parts[0])]
    kinds = _SPARSE_PARTS if info.WhichOneof("encoding") == "coo_sparse" else range(len(parts))
    return [(f"{output}.{kind}", part) for kind, part in zip(kinds, parts)]


def _kept(outputs: dict[str, Any]) -> dict[str, np.ndarray]:
    """Outputs as arrays; of one too large to keep, the first rows, and its shape besides."""
    kept = {}
    for key, value in outputs.items():
        kept[key] = array = np.asarray(value)
        if array.ndim and array.size > _LARGEST:
            kept[key] = array[:max(1, _LARGEST * len(array) // array.size)].copy()
            kept[f"{key} (shape)"] = np.array(array.shape)
    return kept


def _promise(signature: meta_graph_pb2.SignatureDef) -> dict[str, str]:
    tensors = [("input", signature.inputs), ("output", signature.outputs)]
    return {"method": signature.method_name,
            **{f"{kind} {key!r}": _described(info) for kind, infos in tensors
               for key, info in sorted(infos.items())}}


def _described(info: meta_graph_pb2.TensorInfo) -> str:
    encoding = info.WhichOneof("encoding")
    kind = {"coo_sparse": "sparse ", "composite_tensor": "composite "}.get(encoding, "")
    return f"{kind}{tf.as_dtype(info.dtype).name} {tf.TensorShape(info.tensor_shape)}"
