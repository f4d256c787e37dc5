"""Files that are damaged, missing, of another model or made to do harm: all rows stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim.checkpoint import CheckpointReader
from estimator_slim.graph import Training
from tests.training.asking import left_of, rows_of
from tests.training.tables import LAST, ROWS, alone

TABLE = "v1_adagrad"


@pytest.fixture
def prefix(many: tuple[str, str], tmp_path: Path) -> str:
    """A checkpoint to be damaged."""
    return alone(many[1], tmp_path / "model")


@pytest.fixture
def meta(prefix: str) -> Path:
    return Path(f"{prefix}.meta")


def reason(left: dict[str, Training], name: str = TABLE) -> str:
    """Why nothing is known of a table, all of whose rows count as trained then."""
    assert left[name].trained(0, ROWS).all()
    return left[name].unknown


def test_without_a_meta_graph_the_reason_says_what_to_do(many: tuple, prefix: str, meta: Path) -> None:
    meta.unlink()
    found = reason(left_of(many[0], prefix))
    assert "model.ckpt-6.meta" in found and "with the .meta file beside it" in found


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_a_meta_graph_that_is_cut_short(many: tuple, prefix: str, meta: Path, share: float) -> None:
    content = meta.read_bytes()
    meta.write_bytes(content[:int(share * len(content))])
    assert f"{meta} " in reason(left_of(many[0], prefix))


def test_a_meta_graph_that_is_huge_is_not_read(many: tuple, prefix: str, meta: Path) -> None:
    with open(meta, "r+b") as file:
        file.truncate(3 << 30)
    assert "3,221,225,472 bytes" in reason(left_of(many[0], prefix))


def edited(meta: Path, edit: Any) -> None:
    """Writes the meta graph again after `edit(nodes by name, meta_graph)`."""
    graph = meta_graph_pb2.MetaGraphDef.FromString(meta.read_bytes())
    edit({node.name: node for node in graph.graph_def.node}, graph)
    meta.write_bytes(graph.SerializeToString())


def in_circle(nodes: dict, _: Any) -> None:
    start = nodes[f"{TABLE}/Assign"].input[1]
    nodes[start].op, nodes[start].input[:] = "Identity", [start]


def deep(nodes: dict, graph: Any) -> None:
    start = nodes[f"{TABLE}/Assign"]
    for number in range(5_000):
        graph.graph_def.node.add(name=f"deep{number}", op="Neg", input=[start.input[1]])
        start.input[1] = f"deep{number}"


def without_inputs(nodes: dict, _: Any) -> None:
    for node in nodes.values():
        if node.name.startswith(f"{TABLE}/"):
            del node.input[:]


def lying_constant(nodes: dict, _: Any) -> None:
    start = nodes[nodes[f"{TABLE}/Assign"].input[1]]
    start.op, start.input[:] = "Const", []
    start.attr["value"].tensor.dtype = tf.float32.as_datatype_enum
    start.attr["value"].tensor.tensor_content = b"12345"
    start.attr["value"].tensor.tensor_shape.dim.add(size=1 << 50)


def no_start(nodes: dict, graph: Any) -> None:
    graph.graph_def.node.remove(nodes[f"{TABLE}/Assign"])
    for node in graph.graph_def.node:
        node.input[:] = [i for i in node.input if i != f"^{TABLE}/Assign"]


def no_saver(_: dict, graph: Any) -> None:
    graph.ClearField("saver_def")


def strange_operation(nodes: dict, graph: Any) -> None:
    graph.graph_def.node.add(name="strange", op="NobodyKnowsThis", input=[TABLE])


@pytest.mark.parametrize("edit", [in_circle, deep, without_inputs, lying_constant, no_start, no_saver,
                                  strange_operation], ids=lambda edit: edit.__name__)
def test_a_meta_graph_that_makes_no_sense(many: tuple, prefix: str, meta: Path, edit: Any) -> None:
    edited(meta, edit)
    assert reason(left_of(many[0], prefix))


def test_a_meta_graph_of_another_model(many: tuple, prefix: str, meta: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable = tf.compat.v1.get_variable("other", [ROWS, 3])
        session.run(variable.initializer)
        other = tf.compat.v1.train.Saver().save(session, str(meta.parent / "other"))
    meta.write_bytes(Path(f"{other}.meta").read_bytes())
    assert "cannot be read" in reason(left_of(many[0], prefix))
    assert "no variable of this name" in reason(left_of(many[0], other))


def test_a_checkpoint_of_another_step(many: tuple) -> None:
    first = f"{many[1].rpartition('-')[0]}-0"
    assert "are not those of the checkpoint" in reason(left_of(many[0], first))


def test_a_slot_with_a_wrong_bit_is_not_believed(many: tuple, prefix: str) -> None:
    (piece,) = CheckpointReader(prefix).entry(f"{TABLE}/Adagrad").pieces
    octets = bytearray(Path(piece.path).read_bytes())
    octets[piece.offset + 300 * 16] ^= 1
    Path(piece.path).write_bytes(octets)
    left = left_of(many[0], prefix)
    assert "checksum" in reason(left)
    assert not left["v1_adam"].unknown


def test_where_the_first_checkpoint_is_damaged_all_rows_stay(
        many: tuple, prefix: str) -> None:
    first = Path(alone(f"{many[1].rpartition('-')[0]}-0", Path(prefix).parent / "first"))
    for path in first.parent.iterdir():
        content = bytearray(path.read_bytes())
        if ".data" in path.name:
            content[::7] = bytes(len(content[::7]))
        (Path(prefix).parent / path.name).write_bytes(content)
    assert rows_of(left_of(many[0], prefix), TABLE).all()


def test_rows_are_read_in_any_slices(many: tuple) -> None:
    left = left_of(*many)[TABLE]
    whole, counts = left.trained(0, ROWS), left.importance
    assert counts is not None
    for step in (1, 7, 599):
        parts = [left.trained(at, min(at + step, ROWS)) for at in range(0, ROWS, step)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(counts(0, ROWS)[:LAST] > 0, whole[:LAST] & (counts(0, LAST) > 0))
    assert (counts(0, ROWS).dtype, left.trained(5, 5).shape, counts(5, 5).shape) == (
        np.float32, (0,), (0,))
