"""One servable as TensorFlow Serving has it: loaded whole, on the CPU, asked by signature."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.saved_model import loader_impl

from estimator_slim.graph import INIT_SIGNATURE, drop_recorded_shapes, names
from estimator_slim.verify.answers.bases import MadeBy, Search
from estimator_slim.verify.answers.cause import cause_of
from estimator_slim.verify.answers.from_files import leave_in_files
from estimator_slim.verify.answers.lookups import prefix_of
from estimator_slim.verify.answers.reduced import bases_of
from estimator_slim.verify.answers.thinning import Share, thin
from estimator_slim.verify.request import Answer, Refusal, Request

_SECONDS = 60          # for one answer; then it is a refusal, as it is behind a server's deadline
_SPARSE_PARTS = ("indices", "values", "dense_shape")


@dataclass(frozen=True)
class Served:
    """A loaded servable.

    Attributes:
      session: in which its variables and tables stand.
      meta_graph: as loaded.
      besides: signatures that it answers as if it had them; what they are asked is repeated, or cut
        off, to the shape of what it is fed to.
      made_by: of signatures that were asked, what makes each output.
    """

    session: Any
    meta_graph: meta_graph_pb2.MetaGraphDef
    besides: Mapping[str, meta_graph_pb2.SignatureDef] = field(default_factory=dict)
    made_by: dict[str, dict[str, MadeBy]] = field(default_factory=dict)

    def signatures(self) -> dict[str, dict[str, str]]:
        """Signature → what it declares: its method, and dtype and shape of each input and output."""
        return {key: _declared(signature) for key, signature in self.meta_graph.signature_def.items()
                if key not in (INIT_SIGNATURE, "__saved_model_train_op")}

    def answer(self, request: Request, share: Share) -> Answer:
        """The outputs of the request's signature, as much as is this answer's share; or the refusal."""
        options = tf.compat.v1.RunOptions(timeout_in_ms=_SECONDS * 1000)
        try:
            signature = {**self.meta_graph.signature_def, **self.besides}[request.signature]
            feed = self._feed(signature, request)
            made_by = self._made_by(request.signature, signature)
            fetch = {key: tensor for output, info in signature.outputs.items()
                     for key, tensor in fetched(output, info)}
            behind = {tensor.name: tensor for one in made_by.values()
                      for maker in one.every() for tensor in maker.tensors}
            outputs, values = self.session.run((fetch, behind), feed, options=options)
        except (tf.errors.OpError, ValueError, TypeError, KeyError) as error:
            return refusal(error)
        answer = {key: np.asarray(value) for key, value in outputs.items()}
        values = {name: np.asarray(value) for name, value in values.items()}
        bases = {key: bases_of(one, values, answer[key].shape) for key, one in made_by.items()}
        del outputs, values
        return thin(answer, share, bases)

    def _made_by(self, key: str, signature: meta_graph_pb2.SignatureDef) -> dict[str, MadeBy]:
        """Output → what makes it."""
        if key not in self.made_by:
            graph = self.session.graph
            inputs = [tensor for name, info in signature.inputs.items()
                      for _, tensor in fetched(name, info)]
            search = Search(graph, inputs)
            self.made_by[key] = {output: search.makers(graph.get_tensor_by_name(tensor))
                                 for name, info in signature.outputs.items()
                                 for output, tensor in fetched(name, info)}
        return self.made_by[key]

    def _feed(self, signature: meta_graph_pb2.SignatureDef, request: Request) -> dict[str, Any]:
        """Tensor → what to feed it; those parts of a sparse tensor that the signature names."""
        tensors = {part: tensor for key, info in signature.inputs.items()
                   for part, tensor in fetched(key, info)}
        feed: dict[str, Any] = {}
        for key, value in request.inputs.items():
            if hasattr(value, "dense_shape"):
                parts = {part: f"{key}.{part}" for part in _SPARSE_PARTS}
                feed |= {tensors[name]: getattr(value, part) for part, name in parts.items()
                         if name in tensors}
            elif request.signature in self.besides:
                feed[tensors[key]] = _fitted(value, self.session.graph.get_tensor_by_name(tensors[key]))
            else:
                feed[tensors[key]] = value
        return feed


@contextlib.contextmanager
def served(directory: str, tags: Sequence[str], *, grappler: bool = True,
           in_files: int | None = None,
           besides: Mapping[str, meta_graph_pb2.SignatureDef] = MappingProxyType({})
           ) -> Iterator[Served]:
    """The MetaGraph with these tags, loaded: variables restored, init op run with its assets.

    `grappler`: with TensorFlow's graph optimizer, as servers run it; without, small graphs load faster.
    `in_files`: bytes from which tables stay in their files, see from_files.py; None: none does.
    `besides`: signatures that it answers as if it had them.
    Raises whatever TensorFlow raises where it cannot load it.
    """
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0}, allow_soft_placement=True)
    config.graph_options.rewrite_options.disable_meta_optimizer = not grappler
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        loader = loader_impl.SavedModelLoader(directory)
        for meta_graph in loader.saved_model.meta_graphs:
            drop_recorded_shapes(meta_graph.graph_def)
        kept = _left_in_files(loader, directory, tags, in_files)
        yield Served(session, loader.load(session, list(tags)), besides)
        del kept


def _left_in_files(loader: Any, directory: str, tags: Sequence[str], in_files: int | None) -> list[Any]:
    """Leaves the tables of what is to be loaded in their files; what has to be kept for that."""
    prefix = prefix_of(directory)
    if in_files is None or prefix is None:
        return []
    return leave_in_files(loader.get_meta_graph_def_from_tags(list(tags)), prefix, in_files)


def _fitted(value: np.ndarray, tensor: tf.Tensor) -> np.ndarray:
    """`value`, repeated or cut off, in a shape that can be fed to `tensor`."""
    if tensor.shape.rank is None:
        return value
    known = [1 if length is None else length for length in tensor.shape]
    free = next((axis for axis, length in enumerate(tensor.shape) if length is None), None)
    if free is not None:
        known[free] = -(-value.size // max(1, math.prod(known)))
    return np.resize(value, known)


def refusal(error: Exception) -> Refusal:
    """What a caller gets to know of an error: its class and what it says is wrong."""
    return Refusal(type(error).__name__, cause_of(error))


def fetched(output: str, info: meta_graph_pb2.TensorInfo) -> list[tuple[str, str]]:
    """(key, tensor) for an input or output; one for each part of a sparse or composite one."""
    encoding, sparse = info.WhichOneof("encoding"), info.coo_sparse
    if encoding == "coo_sparse":
        parts = [(f"{output}.{kind}", getattr(sparse, f"{kind}_tensor_name")) for kind in _SPARSE_PARTS]
    elif encoding == "composite_tensor":
        parts = [(f"{output}.{n}", name) for n, name in enumerate(names.of_tensor_info(info))]
    else:
        parts = [(output, info.name)]
    return [(key, name if ":" in name else f"{name}:0") for key, name in parts if name]


def _declared(signature: meta_graph_pb2.SignatureDef) -> dict[str, str]:
    tensors = [("input", signature.inputs), ("output", signature.outputs)]
    return {"method": signature.method_name,
            **{f"{kind} {key!r}": _described(info) for kind, infos in tensors
               for key, info in sorted(infos.items())}}


def _described(info: meta_graph_pb2.TensorInfo) -> str:
    encoding = info.WhichOneof("encoding")
    if encoding == "composite_tensor":  # which says what it is by its parts alone
        return f"composite ({', '.join(map(_described, info.composite_tensor.components))})"
    kind = "sparse " if encoding == "coo_sparse" else ""
    return f"{kind}{tf.as_dtype(info.dtype).name} {tf.TensorShape(info.tensor_shape)}"
