"""quantize_weights: whatever way a weight is read, by lookups of every kind or as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.graph import names
from tests.support.by_hand import (
    answers,
    bytes_of,
    meta_graph,
    request_nodes,
    request_ops,
    servable,
    slim,
    stored,
    v1,
    variable,
)
from tests.support.sample import in_turn

ROWS = 9000
TABLE = np.random.default_rng(2).normal(size=(ROWS, 64)).astype(np.float32)
BOUND = np.abs(TABLE).max(axis=1, keepdims=True) * (1 / 254 + 2.0**-22)  # half a step of each row
QUANTIZE = "strip_unused_nodes remove_nodes(op=Identity) quantize_weights"


def serve(folder: Path, outputs: Callable[[Any], dict]) -> str:
    """A servable of `ids` → `outputs(ids)`."""
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        return {"ids": ids}, outputs(ids)
    return servable(folder, network)


def gather_op(table: Any, ids: Any) -> Any:
    return tf.raw_ops.Gather(params=table, indices=ids)


LOOKUPS = {
    "ResourceGather": lambda ids: tf.gather(variable("table", TABLE), ids),
    "GatherV2 of a read variable":
        lambda ids: tf.gather(variable("table", TABLE).read_value(), ids),
    "GatherV2 of a constant": lambda ids: tf.gather(tf.constant(TABLE), ids),
    "Gather of a constant": lambda ids: gather_op(tf.constant(TABLE), ids),
    "Gather of a reference variable":
        lambda ids: gather_op(variable("table", TABLE, use_resource=False)._ref(), ids),
    "GatherV2 of a reference variable":
        lambda ids: tf.gather(variable("table", TABLE, use_resource=False), ids),
    "of int32 ids": lambda ids: tf.gather(variable("table", TABLE), tf.cast(ids, tf.int32)),
    "of ids of two axes":
        lambda ids: tf.gather(variable("table", TABLE), tf.reshape(ids, [-1, 3]))[:, 0],
}


@pytest.mark.parametrize("kind", LOOKUPS)
def test_a_lookup_decodes_only_the_rows_it_reads(tmp_path: Path, kind: str) -> None:
    path, report = slim(serve(tmp_path, lambda ids: {"rows": LOOKUPS[kind](ids)}), QUANTIZE)
    ids = np.arange(ROWS) if kind != "of ids of two axes" else np.repeat(np.arange(ROWS), 3)
    assert np.all(np.abs(answers(path, {"ids": ids})["rows"] - TABLE) <= BOUND)
    assert report.bytes_after < 0.30 * report.bytes_before
    assert {made_by(path, node).op for node in request_nodes(path)
            if node.op == "Cast" and node.attr["DstT"].type == tf.float32} == {"ResourceGather"}


def made_by(path: str, node: Any) -> Any:
    """The node that makes the first input of `node`."""
    return next(n for n in request_nodes(path) if n.name == names.node_of(node.input[0]))


@in_turn(2, rows={"constants": 400, "variables": 14_000},
         references={"resource": False, "reference": True}, strategy=["mod", "div"])
def test_partitioned_lookups_find_their_rows(
        tmp_path: Path, strategy: str, references: bool, rows: int) -> None:
    def outputs(ids: Any) -> dict:
        table = v1.get_variable("table", [rows, 64], use_resource=not references,
                                partitioner=v1.fixed_size_partitioner(3))
        return {"rows": v1.nn.embedding_lookup(table, ids, strategy)}

    source = serve(tmp_path, outputs)
    path, report = slim(source, QUANTIZE)
    requests = [{"ids": np.random.default_rng(4).permutation(rows)}, {"ids": [rows + 3]}]
    wanted, refused = answers(source, *requests)
    got, refused_too = answers(path, *requests)
    assert np.all(np.abs(got["rows"] - wanted["rows"])
                  <= np.abs(wanted["rows"]).max(axis=1, keepdims=True) * (1 / 254 + 2.0**-22))
    assert refused_too == refused
    assert report.bytes_after < 0.30 * report.bytes_before + 10_000


@in_turn(2, safe={"plain": False, "safe": True}, weighted={"unweighted": False, "weighted": True},
         combiner=["sum", "mean", "sqrtn"])
def test_sums_of_rows_are_off_by_no_more_than_their_rows_are(
        tmp_path: Path, combiner: str, weighted: bool, safe: bool) -> None:
    indices = [[0, 0], [0, 1], [0, 2], [1, 0], [2, 0], [2, 1]]
    found, weights = [5, 8999, 5, 0, 77, 78], [0.5, 2.0, 1.0, 3.0, 0.25, 1.5]

    def outputs(ids: Any) -> dict:
        sparse = tf.SparseTensor(indices, ids, [3, 3])
        by = tf.SparseTensor(indices, tf.constant(weights), [3, 3]) if weighted else None
        lookup = tf.nn.safe_embedding_lookup_sparse if safe else tf.nn.embedding_lookup_sparse
        return {"sums": lookup(variable("table", TABLE), sparse, by, combiner=combiner)}

    source = serve(tmp_path, outputs)
    path, _ = slim(source, f"{QUANTIZE} simplify_lookups")
    wanted, got = (answers(d, {"ids": found})["sums"] for d in (source, path))
    assert "table/codes" in stored(path)
    for example, sums in enumerate(wanted):
        terms = [(weights[n] if weighted else 1.0, found[n])
                 for n, (row, _) in enumerate(indices) if row == example]
        divisor = {"sum": 1.0, "mean": sum(w for w, _ in terms),
                   "sqrtn": sum(w * w for w, _ in terms)**0.5}[combiner]
        bound = sum(w * BOUND[i, 0] for w, i in terms) / divisor
        assert np.all(np.abs(got[example] - sums) <= bound + 1e-6)
        assert np.any(got[example] != sums)


def test_two_signatures_and_two_lookups_share_one_table_of_codes(tmp_path: Path) -> None:
    def network() -> Any:
        table = variable("table", TABLE)
        first, second = (v1.placeholder(tf.int64, [None], name) for name in ("first", "second"))
        rows, others = tf.gather(table, first), tf.gather(table, second)
        return {"serving_default": ({"first": first, "second": second},
                                    {"rows": rows, "others": others}),
                "one": ({"first": first}, {"rows": rows})}

    path, report = slim(servable(tmp_path, network), QUANTIZE)
    ids = np.arange(ROWS)
    got = answers(path, {"first": ids, "second": ids[::-1].copy()})
    assert np.all(np.abs(got["rows"] - TABLE) <= BOUND)
    assert np.all(np.abs(got["others"] - TABLE[::-1]) <= BOUND[::-1])
    assert sorted(stored(path)) == ["table/codes"]
    assert [n.name for n in request_nodes(path) if "scale" in n.name and n.op == "Const"] == [
        "table/scale"]
    assert report.bytes_after < 0.28 * report.bytes_before


@pytest.mark.parametrize("bits", [8, 4, 16])
def test_a_tied_table_gives_lookups_and_products_the_same_values(tmp_path: Path, bits: int) -> None:
    def outputs(ids: Any) -> dict:
        table = variable("table", TABLE)
        rows = tf.gather(table, ids)
        return {"rows": rows, "product": tf.matmul(tf.eye(64), table, transpose_b=True)}

    path, report = slim(serve(tmp_path, outputs), f"{QUANTIZE}(bits={bits})")
    got = answers(path, {"ids": np.arange(ROWS)})
    np.testing.assert_array_equal(got["rows"], got["product"].T)
    bound = np.abs(TABLE) * 2.0**-11 + 2.0**-25 if bits == 16 else BOUND
    assert np.all(np.abs(got["rows"] - TABLE) <= bound)
    assert report.bytes_after < (0.55 if bits == 16 else 0.28) * report.bytes_before


def assert_decoded_at_load(path: str, kernel: str, op: str) -> None:
    """Requests read the kernel and multiply; what decodes it belongs to the restore op."""
    assert request_ops(path) == {"Placeholder": 1, "VarHandleOp": 1, "ReadVariableOp": 1, op: 1}
    assert made_by(path, next(n for n in request_nodes(path) if n.op == "ReadVariableOp")
                   ).op == "VarHandleOp"
    decoding = {n.op for n in meta_graph(path).graph_def.node if n.name.startswith("save/")}
    assert {"RestoreV2", "Cast", "AssignVariableOp"} <= decoding
    assert kernel not in stored(path)


@pytest.mark.parametrize(("bits", "granularity", "dtype"),
                         [(8, "row", np.int8), (8, "table", np.int8), (4, "row", np.int8),
                          (16, "row", np.float16)])
def test_a_kernel_is_codes_on_disk_and_decoded_once_at_load(
        tmp_path: Path, bits: int, granularity: str, dtype: Any) -> None:
    kernel = np.random.default_rng(3).normal(size=(400, 500)).astype(np.float32)

    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 400], "x")
        return {"x": x}, {"y": tf.matmul(x, variable("kernel", kernel))}

    path, _ = slim(servable(tmp_path, network),
                   f"{QUANTIZE}(bits={bits}, granularity={granularity})")
    assert_decoded_at_load(path, "kernel", "MatMul")
    codes = stored(path)["kernel/codes"]
    assert (codes.dtype, codes.shape) == (dtype, kernel.shape)
    error = np.abs(answers(path, {"x": np.eye(400, dtype=np.float32)})["y"] - kernel)
    magnitude = np.abs(kernel).max(axis=1 if granularity == "row" else None, keepdims=True)
    assert np.all(error <= (np.abs(kernel) * 2.0**-11 + 2.0**-25 if bits == 16
                            else magnitude * (1 / 254 + 2.0**-22)))


@in_turn(2, width=[1, 3, 40], bits=[8, 16])
def test_a_narrow_kernel_has_a_scale_for_each_block_of_rows(
        tmp_path: Path, width: int, bits: int) -> None:
    kernel = np.random.default_rng(3).normal(size=(70_001, width)).astype(np.float32)
    some = np.arange(0, len(kernel), 997)

    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, len(kernel)], "x")
        return {"x": x}, {"y": tf.matmul(x, variable("kernel", kernel))}

    path, report = slim(servable(tmp_path, network), f"{QUANTIZE}(bits={bits})")
    assert_decoded_at_load(path, "kernel", "MatMul")
    x = np.zeros((len(some), len(kernel)), np.float32)
    x[np.arange(len(some)), some] = 1
    per_block = 64 if width == 1 else 32 if width == 3 else 2
    largest = np.array([np.abs(kernel[i // per_block * per_block:][:per_block]).max() for i in some])
    bound = (np.abs(kernel[some]) * 2.0**-11 + 2.0**-25 if bits == 16
             else largest[:, None] * (1 / 254 + 2.0**-22))
    assert np.all(np.abs(answers(path, {"x": x})["y"] - kernel[some]) <= bound)
    assert report.bytes_after < (0.55 if bits == 16 else 0.29) * report.bytes_before + 5000


def test_a_convolutions_kernel_has_a_scale_for_each_place_and_channel(tmp_path: Path) -> None:
    kernel = np.random.default_rng(3).normal(size=(3, 3, 64, 128)).astype(np.float32)

    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 3, 3, 64], "x")
        return {"x": x}, {"y": tf.nn.conv2d(x, variable("kernel", kernel), 1, "VALID")}

    path, _ = slim(servable(tmp_path, network), QUANTIZE)
    assert_decoded_at_load(path, "kernel", "Conv2D")
    assert stored(path)["kernel/codes"].dtype == np.int8
    assert stored(path)["kernel/codes"].size == kernel.size
    assert stored(path)["kernel/scale"].size == 3 * 3 * 64
    x = np.eye(3 * 3 * 64, dtype=np.float32).reshape(-1, 3, 3, 64)
    got, wanted = answers(path, {"x": x})["y"].reshape(-1, 128), kernel.reshape(-1, 128)
    bound = np.abs(wanted).max(axis=1, keepdims=True) * (1 / 254 + 1e-6)
    assert np.all(np.abs(got - wanted) <= bound)


def test_a_small_kernel_stays_float(tmp_path: Path) -> None:
    kernel = np.random.default_rng(3).normal(size=(64, 64)).astype(np.float32)

    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 64], "x")
        return {"x": x}, {"y": tf.matmul(x, variable("kernel", kernel))}

    path, report = slim(servable(tmp_path, network), QUANTIZE)
    np.testing.assert_array_equal(answers(path, {"x": np.eye(64)})["y"], kernel)
    assert request_ops(path) == {"Placeholder": 1, "Const": 1, "MatMul": 1}
    assert "kernel" not in "".join(node for step in report.steps for node, _ in step.skipped)


def test_a_table_that_is_itself_an_answer_stays_whole(tmp_path: Path) -> None:
    def outputs(ids: Any) -> dict:
        table = variable("table", TABLE)
        return {"rows": tf.gather(table, ids), "table": table.read_value()}

    path, _ = slim(serve(tmp_path, outputs), QUANTIZE)
    got = answers(path, {"ids": np.arange(ROWS)})
    np.testing.assert_array_equal(got["rows"], got["table"])
    assert np.all(np.abs(got["table"] - TABLE) <= BOUND)


@pytest.mark.parametrize("weights", ["auto", "constants"])
def test_a_table_that_one_signature_looks_up_and_another_fetches_is_written_once(
        tmp_path: Path, weights: str) -> None:
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        table = variable("table", TABLE, use_resource=False)
        return {"serving_default": ({"ids": ids}, {"rows": tf.gather(table, ids)}),
                "whole": ({"ids": ids}, {"table": table})}

    source = servable(tmp_path, network)
    path, _ = slim(source, QUANTIZE, weights=weights)
    assert bytes_of(path) < bytes_of(source) * (0.3 if weights == "auto" else 1.0)
    assert np.all(np.abs(answers(path, {"ids": np.arange(ROWS)})["rows"] - TABLE) <= BOUND)


def test_the_entries_of_a_hash_table_stay_exact(tmp_path: Path) -> None:
    def outputs(ids: Any) -> dict:
        table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, tf.zeros([64]))
        v1.add_to_collection("fill", table.insert(tf.range(ROWS, dtype=tf.int64), TABLE))
        return {"rows": table.lookup(ids)}

    def saver() -> Any:
        v1.get_default_session().run(v1.get_collection("fill"))
        return v1.train.Saver()

    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        return {"ids": ids}, outputs(ids)
    path, _ = slim(servable(tmp_path, network, saver=saver), QUANTIZE)
    np.testing.assert_array_equal(answers(path, {"ids": np.arange(ROWS)})["rows"], TABLE)


# ---- kernels beside tables that take little more than they do


def kernel_beside(rows: int) -> Any:
    """A table [rows, 64] whose rows meet a kernel of 64 KiB."""
    rng = np.random.default_rng(5)
    table, kernel = rng.normal(size=(rows, 64)), rng.normal(size=(64, 256))

    def build() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        found = tf.gather(variable("table", table.astype(np.float32)), ids)
        return {"ids": ids}, {"scores": found @ variable("kernel", kernel.astype(np.float32))}
    return build


@pytest.mark.parametrize("rows, halved", [(8_000, True), (80_000, False)])
def test_a_small_kernel_is_halved_where_it_is_a_good_part_of_what_is_stored(
        tmp_path: Path, rows: int, halved: bool) -> None:
    source = servable(tmp_path, kernel_beside(rows))
    path, report = slim(source, "quantize_weights")
    constants = [node for node in request_nodes(path) if node.op == "Const"]
    assert (any(node.attr["dtype"].type == tf.float16.as_datatype_enum for node in constants)) == halved
    assert any(one.codes == "float16" for one in report.steps[0].treated) == halved
    rows_asked = np.arange(0, rows, 97)
    want, got = (answers(one, {"ids": rows_asked})["scores"] for one in (source, path))
    # Rounding to 11 digits moves a product of 64 numbers by 2**-11 of the sum of their sizes at most;
    # rows are off by half a step of their 127.
    table, kernel = (np.abs(value) for value in stored(source).values() if value.ndim == 2)
    table, kernel = (table, kernel) if len(table) == rows else (kernel, table)
    sizes = table[rows_asked] @ kernel
    step = table[rows_asked].max(axis=1, keepdims=True) / 254 * kernel.sum(axis=0)
    assert (np.abs(got - want) <= (sizes * 2.0**-11 * halved + step) * 1.001 + 1e-4).all()
