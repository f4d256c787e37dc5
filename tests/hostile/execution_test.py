"""What optimizing executes of a servable's graph: nothing that reads, writes or never ends.

Without verification, that is. To verify is to load and ask the servable, which executes it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from by_hand import answers, assert_same_answers, request_ops, servable

from estimator_slim import optimize_saved_model
from estimator_slim.graph.unexecuted import hold, imported, release
from estimator_slim.transforms import DEFAULT

v1, raw = tf.compat.v1, tf.raw_ops
X = np.array([1.0, 2.0], np.float32)


def model(folder: Path, constant: Callable[[], Any], **options: Any) -> str:
    """A servable that adds the length of the string that `constant()` makes to its input."""
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        return {"x": x}, {"y": x + tf.cast(tf.strings.length(constant()), tf.float32)}
    return servable(folder, network, **options)


def joined() -> Any:
    text = tf.constant(b"a" * 1024)
    for _ in range(40):  # a petabyte
        text = raw.StringJoin(inputs=[text, text], separator="")
    return text


def unpacked() -> Any:
    return raw.DecodeCompressed(bytes=zlib.compress(bytes(1 << 24)), compression_type="ZLIB",
                                buffer_size=0)


def formatted() -> Any:
    return raw.AsString(input=tf.constant(1.0), width=2**31 - 1)


def shaped_by(length: Callable[[], Any]) -> Callable[[], Any]:
    """A reshape that depends on a string: TensorFlow executes that to know the shape."""
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        return {"x": x}, {"y": tf.reshape(x, [tf.strings.length(length())])}
    return network


ENDLESS = {"joined": joined, "formatted": formatted,
           "zeros": lambda: raw.ReadFile(filename="/dev/zero")}


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_never_ends_is_not_computed_ahead(tmp_path: Path, kind: str) -> None:
    original = model(tmp_path, ENDLESS[kind])
    optimize_saved_model(original, tmp_path / "slim", DEFAULT)
    assert (tmp_path / "slim/saved_model.pb").exists()


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_never_ends_is_not_executed_to_know_a_shape(tmp_path: Path, kind: str) -> None:
    original = servable_unchecked(tmp_path, shaped_by(ENDLESS[kind]))
    optimize_saved_model(original, tmp_path / "slim", DEFAULT)
    assert (tmp_path / "slim/saved_model.pb").exists()


def servable_unchecked(folder: Path, network: Callable[[], Any]) -> str:
    """The servable of a graph that nothing must import on the way: built around a placeholder.

    TensorFlow would execute it as it is built.
    """
    def harmless() -> Any:
        return v1.placeholder_with_default(tf.constant(b"held"), [], "held")
    path = Path(servable(folder, shaped_by(harmless)))
    with tf.Graph().as_default() as graph:
        holding = [n for n in _strings_of(network)]
    raise_if = graph is None
    assert not raise_if
    from damage import edit

    def replace(meta_graph: Any) -> None:
        known = {n.name for n in meta_graph.graph_def.node}
        meta_graph.graph_def.node.extend(n for n in holding if n.name not in known)
        for node in meta_graph.graph_def.node:
            if node.op == "StringLength":
                node.input[0] = "endless"
    edit(path, replace)
    return str(path)
