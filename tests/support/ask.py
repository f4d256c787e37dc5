"""Asks a servable as a server would: everything that loading runs is run, then every signature.

    python -m tests.support.ask < jobs.pickle > answers.pickle   in a process of its own; see `ask_fresh`
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.processes import answered

Answers = dict  # (signature, number of the request) → outputs by name, or the refusal's class name


def ask(directory: str, requests: Iterable[Any], *, optimizer: bool = True,
        tags: Sequence[str] = ("serve",)) -> Answers:
    """Loads the MetaGraph of `directory` with these tags and puts every request to every signature.

    Args:
      directory: of a SavedModel.
      requests: arrays, fed to each of a signature's inputs; or dicts of input name → value, of which
        a signature takes what it knows.
      optimizer: with TensorFlow's graph optimizer, as servers run it; without, loading is faster.
      tags: of the MetaGraph.

    Returns:
      (signature, number of the request) → {output name: value}, or the name of the error's class.
    """
    with tf.Graph().as_default(), tf.compat.v1.Session(config=session_options(optimizer)) as session:
        loaded = tf.compat.v1.saved_model.load(session, list(tags), directory)
        return {(name, number): _answer(session, signature, request)
                for name, signature in sorted(served(loaded).items())
                for number, request in enumerate(requests)}


def session_options(optimizer: bool = False) -> tf.compat.v1.ConfigProto:
    """One thread; and no graph optimizer, as what runs a few times takes longer with it."""
    options = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    options.graph_options.rewrite_options.disable_meta_optimizer = not optimizer
    return options


def served(meta_graph: Any) -> dict[str, Any]:
    """The signatures that a client can ask."""
    return {k: s for k, s in meta_graph.signature_def.items() if not k.startswith("__saved_model")}


def _answer(session: Any, signature: Any, request: Any) -> Any:
    feed = {_element(session, info): request[key] if isinstance(request, Mapping) else request
            for key, info in signature.inputs.items()
            if not isinstance(request, Mapping) or key in request}
    fetch = {key: _element(session, info) for key, info in signature.outputs.items()}
    try:
        return session.run(fetch, feed)
    except (tf.errors.OpError, ValueError, TypeError) as refusal:
        return type(refusal).__name__


def _element(session: Any, info: Any) -> Any:
    """The tensor, or the sparse tensor, that a signature's entry names."""
    if info.WhichOneof("encoding") != "coo_sparse":
        return session.graph.get_tensor_by_name(info.name)
    parts = (info.coo_sparse.indices_tensor_name, info.coo_sparse.values_tensor_name,
             info.coo_sparse.dense_shape_tensor_name)
    return tf.SparseTensor(*(session.graph.get_tensor_by_name(name) for name in parts))


def values(answer: Any) -> dict[str, np.ndarray]:
    """An answer's outputs as arrays, sparse ones in their three parts."""
    result = {}
    for key, value in answer.items():
        parts = value._asdict() if isinstance(value, tf.compat.v1.SparseTensorValue) else {"": value}
        for part, array in parts.items():
            result[f"{key}.{part}" if part else key] = np.asarray(array)
    return result


def ask_fresh(jobs: Mapping[Any, tuple[str, Iterable[Any]]]) -> dict[Any, Answers]:
    """`ask` for each name → (directory, requests), in one fresh process."""
    return answered("tests.support.ask", dict(jobs))


def main() -> None:
    jobs = pickle.load(sys.stdin.buffer)
    answers = {name: ask(directory, requests) for name, (directory, requests) in jobs.items()}
    sys.stdout.buffer.write(pickle.dumps(answers))


if __name__ == "__main__":
    main()
