"""What optimizing executes of a servable's graph: nothing that reads, writes or never ends.

Without verification, that is: to verify is to load and ask the servable, which executes it.
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

from estimator_slim import optimize_saved_model
from estimator_slim.graph import attributes
from estimator_slim.graph.importing import hold, imported, release
from tests.hostile.damage import edit
from tests.support.by_hand import answers, request_ops, servable

v1 = tf.compat.v1
NodeDef = v1.NodeDef
X = np.array([1.0, 2.0], np.float32)
LISTS = ["", "fold_constants", "simplify_lookups", "quantize_weights(bits=4)", "quantize_nodes"]


def node(op: str, name: str, *inputs: str, **attrs: Any) -> Any:
    made = NodeDef(op=op, name=name, input=inputs)
    for key, value in attrs.items():
        made.attr[key].CopyFrom(attributes.encode(value))
    return made


def const(name: str, value: Any) -> Any:
    array = np.array(value, object if isinstance(value, bytes) else np.float32)
    return node("Const", name, dtype=tf.as_dtype(array.dtype), value=array)


def read_file(path: str) -> list[Any]:
    return [const("path", path.encode()), node("ReadFile", "held", "path")]


def joined() -> list[Any]:
    """A petabyte."""
    names = [*(f"join{n}" for n in range(40)), "held"]
    return [const("join0", b"a" * 1024), *(node("StringJoin", b, a, a, N=2, separator="")
                                           for a, b in zip(names, names[1:]))]


def unpacked() -> list[Any]:
    packed = zlib.compress(bytes(1 << 24))
    return [const("packed", packed), node("DecodeCompressed", "held", "packed", compression_type="ZLIB")]


def formatted() -> list[Any]:
    return [const("one", 1.0), node("AsString", "held", "one", T=tf.float32, width=2**31 - 1)]


def traced(path: str) -> list[Any]:
    """An identity that writes what goes through it to a file."""
    return [const("text", b"text"), node("DebugIdentity", "held", "text", T=tf.string,
                                         debug_urls=[f"file://{path}"], tensor_name="held:0")]


ENDLESS: dict[str, Callable[[Path], list[Any]]] = {
    "a device": lambda folder: read_file("/dev/zero"), "joined": lambda folder: joined(),
    "formatted": lambda folder: formatted(), "a pipe": lambda folder: read_file(pipe(folder)),
    "unpacked": lambda folder: unpacked(), "traced": lambda folder: traced(str(folder / "trace"))}


def pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return str(folder / "pipe")


def added(x: Any, length: Any) -> Any:
    return x + tf.cast(length, tf.float32)


def reshaped(x: Any, length: Any) -> Any:
    """TensorFlow executes what `length` is made of, to know the shape of this."""
    return tf.reshape(x, tf.stack([length, -1]))


def model(folder: Path, use: Callable[[Any, Any], Any], nodes: list[Any]) -> str:
    """A servable that does something with the length of the string `held`, which `nodes` make."""
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        held = v1.placeholder_with_default(tf.constant(b""), [], "held")
        return {"x": x}, {"y": use(x, tf.strings.length(held))}

    def put(meta_graph: Any) -> None:
        kept = [n for n in meta_graph.graph_def.node if n.name != "held"]
        del meta_graph.graph_def.node[:]
        meta_graph.graph_def.node.extend([*kept, *nodes])
    path = servable(folder, network)
    edit(Path(path), put)
    return path


@pytest.mark.parametrize("use", [added, reshaped])
@pytest.mark.parametrize("kind", ENDLESS)
def test_what_reads_or_writes_or_never_ends_is_not_executed(
        tmp_path: Path, kind: str, use: Callable) -> None:
    nodes = ENDLESS[kind](tmp_path)
    original = model(tmp_path, use, nodes)
    for number, transforms in enumerate([*LISTS, None]):
        slim = tmp_path / f"slim{number}" / "1"
        optimize_saved_model(original, slim, transforms)
        assert nodes[-1].op in request_ops(str(slim))
    assert not (tmp_path / "trace").exists()


def test_a_file_that_requests_read_is_read_by_requests_and_not_ahead(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("seven..", encoding="utf-8")
    original = model(tmp_path, added, read_file(str(file)))
    optimize_saved_model(original, tmp_path / "slim")
    file.write_text("three", encoding="utf-8")
    np.testing.assert_array_equal(answers(str(tmp_path / "slim"), {"x": X})["y"], X + 5)
    assert b"seven" not in (tmp_path / "slim/saved_model.pb").read_bytes()


def test_numbers_and_short_texts_are_computed_ahead(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        number = tf.exp(tf.constant(2.0)) * 3.0
        texts = tf.expand_dims(tf.strings.as_string(tf.constant([1, 2])), 0)
        return {"x": x}, {"y": x + number, "texts": tf.tile(texts, [tf.size(x), 1])}
    slim = str(tmp_path / "slim")
    optimize_saved_model(servable(tmp_path, network), slim, "fold_constants")
    assert not {"Exp", "Mul", "AsString", "ExpandDims"} & set(request_ops(slim))
    got = answers(slim, {"x": X})
    np.testing.assert_allclose(got["y"], X + np.exp(np.float32(2)) * 3, rtol=1e-6)
    assert got["texts"].tolist() == [[b"1", b"2"]] * 2


@pytest.mark.parametrize(("verify", "is_written"), [("off", False), ("enforce", True)])
def test_the_init_op_is_executed_by_verification_alone(
        tmp_path: Path, verify: str, is_written: bool) -> None:
    written = tmp_path / "written"

    def network() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        return {"x": x}, {"y": x * 2.0}
    original = servable(tmp_path, network, main_op=lambda: tf.io.write_file(str(written), "init"))
    optimize_saved_model(original, tmp_path / "slim", verify=verify)
    assert written.exists() == is_written


def test_a_held_graph_is_understood_and_comes_back_as_it_was() -> None:
    nodes = [node("Placeholder", "x", dtype=tf.float32, shape=tf.TensorShape([2, 3])), const("two", 2.0),
             node("Mul", "y", "x", "two", T=tf.float32, _kernel="of_its_own")]
    graph_def = v1.GraphDef(node=nodes)
    before = graph_def.SerializeToString(deterministic=True)
    graph = imported(graph_def)
    assert graph.get_tensor_by_name("y:0").shape == [2, 3]
    assert graph_def.SerializeToString(deterministic=True) == before
    hold(graph_def.node)
    assert graph_def.SerializeToString(deterministic=True) != before
    with tf.Graph().as_default(), v1.Session() as session:
        (y,) = tf.import_graph_def(graph_def, name="", return_elements=["y:0"])
        with pytest.raises(tf.errors.OpError, match="No OpKernel|no kernel|not registered"):
            session.run(y, {"x:0": np.ones((2, 3))})
    release(graph_def.node)
    assert graph_def.SerializeToString(deterministic=True) == before
