"""freeze: which value each variable gets, which ones stay variables, what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import SourceError, optimize_saved_model
from estimator_slim.freezing.variables import freeze
from estimator_slim.saved_model.reader import read_servable
from tests.support.alike import assert_same_answers
from tests.support.by_hand import (
    answers,
    request_ops,
    servable,
    slim,
    stored,
    v1,
    variable,
)

X = np.random.default_rng(4).normal(size=(2, 3)).astype(np.float32)
KERNEL = np.random.default_rng(3).normal(size=(3, 4)).astype(np.float32)
PLACES = pytest.mark.parametrize("weights", ["auto", "variables", "constants"])


def values(source: str, *names: str) -> list[np.ndarray]:
    """What the weights of these names hold once the servable is frozen."""
    graph = freeze(read_servable(source))
    weights = [graph.weight(name) for name in names]
    return [weight.value() for weight in weights if weight is not None]


def by_ids(outputs: Any) -> Any:
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        return {"ids": ids}, outputs(ids)
    return network


@pytest.mark.parametrize("references", [False, True], ids=["resource", "reference"])
@PLACES
def test_each_part_of_a_partitioned_variable_is_its_slice_of_one_checkpoint_tensor(
        tmp_path: Path, references: bool, weights: str) -> None:
    def outputs(ids: Any) -> dict:
        table = v1.get_variable("table", [1001, 5], partitioner=v1.fixed_size_partitioner(3),
                                use_resource=not references)
        return {"rows": v1.nn.embedding_lookup(table, ids, "div"), "whole": tf.identity(table)}

    source = servable(tmp_path, by_ids(outputs))
    whole = stored(source)["table"]
    assert whole.shape == (1001, 5)
    parts = values(source, "table/part_0", "table/part_1", "table/part_2")
    assert [len(part) for part in parts] == [334, 334, 333]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    path, _ = slim(source, "strip_unused_nodes", weights=weights)
    assert_same_answers(path, source, {"ids": np.arange(1001)}, {"ids": np.array([1001])})


@PLACES
def test_keys_are_what_the_restore_op_says_and_not_the_variables_names(
        tmp_path: Path, weights: str) -> None:
    swapped = {"layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE": "two",
               "layer_with_weights-1/kernel/.ATTRIBUTES/VARIABLE_VALUE": "one", "one": "three"}

    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        sums = [tf.matmul(x, variable(name, KERNEL + n)) for n, name in
                enumerate(("one", "two", "three"))]
        return {"x": x}, dict(zip("abc", sums))

    def saver() -> Any:
        by_name = {v.op.name: v for v in v1.global_variables()}
        return v1.train.Saver({key: by_name[name] for key, name in swapped.items()})

    source = servable(tmp_path, network, saver=saver)
    assert sorted(stored(source)) == sorted(swapped)
    for number, value in enumerate(values(source, "one", "two", "three")):
        np.testing.assert_array_equal(value, KERNEL + number)
    path, _ = slim(source, "strip_unused_nodes", weights=weights)
    assert_same_answers(path, source, {"x": X})


@PLACES
@pytest.mark.parametrize("references", [False, True], ids=["resource", "reference"])
def test_a_variable_that_requests_change_stays_one_and_starts_where_it_was(
        tmp_path: Path, references: bool, weights: str) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        count = variable("count", np.int64(40), use_resource=not references)
        with tf.control_dependencies([v1.assign_add(count, 2)]):
            now = count.read_value()
        return {"x": x}, {"y": tf.matmul(x, variable("kernel", KERNEL)), "count": now}

    source = servable(tmp_path, network)
    path, _ = slim(source, "strip_unused_nodes fold_constants quantize_weights(minimum_size=1)",
                   weights=weights)
    assert stored(path)["count"] == 40
    assert [answer["count"] for answer in answers(path, *[{"x": X}] * 3)] == [42, 44, 46]
    assert answers(path, {"x": X})["count"] == 42  # each load starts anew


@PLACES
def test_a_variable_that_only_the_init_op_sets_goes_on_being_set(
        tmp_path: Path, weights: str) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        local = variable("local", KERNEL, collections=[v1.GraphKeys.LOCAL_VARIABLES])
        return {"x": x}, {"y": tf.matmul(x, local) * variable("scale", np.float32(3))}

    source = servable(tmp_path, network, main_op=v1.local_variables_initializer)
    assert sorted(stored(source)) == ["scale"]
    path, _ = slim(source, "strip_unused_nodes fold_constants", weights=weights)
    np.testing.assert_allclose(answers(path, {"x": X})["y"], X @ KERNEL * 3, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("entries", [50, 50_000])
def test_a_table_whose_entries_are_in_the_checkpoint_has_them_again(
        tmp_path: Path, entries: int) -> None:
    def outputs(ids: Any) -> dict:
        table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1, name="counts")
        keys = tf.range(entries, dtype=tf.int64)
        v1.add_to_collection("fill", table.insert(keys, keys * 3))
        return {"count": table.lookup(ids)}

    def saver() -> Any:
        v1.get_default_session().run(v1.get_collection("fill"))
        return v1.train.Saver()

    source = servable(tmp_path, by_ids(outputs), saver=saver)
    path, _ = slim(source, "strip_unused_nodes")
    request = {"ids": np.array([0, 1, entries - 1, entries])}
    np.testing.assert_array_equal(answers(path, request)["count"], [0, 3, 3 * entries - 3, -1])
    assert_same_answers(path, source, request)


def test_a_variable_that_nothing_sets_is_refused_by_name(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        local = variable("never_set", KERNEL, collections=[v1.GraphKeys.LOCAL_VARIABLES])
        return {"x": x}, {"y": tf.matmul(x, local) * variable("scale", np.float32(3))}

    with pytest.raises(SourceError, match="never_set"):
        optimize_saved_model(servable(tmp_path, network), tmp_path / "slim")
    assert not (tmp_path / "slim").exists()


def test_a_key_that_is_not_in_the_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        return {"x": x}, {"y": tf.matmul(x, variable("kernel", KERNEL))}

    source = servable(tmp_path, network)
    with tf.Graph().as_default(), v1.Session() as session:  # a checkpoint of another export
        other = variable("kernels", KERNEL)
        session.run(other.initializer)
        v1.train.Saver([other]).save(session, f"{source}/variables/variables",
                                     write_meta_graph=False, write_state=False)
    with pytest.raises(SourceError, match=r"no tensor 'kernel'.*nearest.*'kernels'"):
        optimize_saved_model(source, tmp_path / "slim")
    assert not (tmp_path / "slim").exists()


@pytest.mark.parametrize("transforms", ["strip_unused_nodes", "quantize_weights",
                                        "quantize_weights(bits=16)"])
@pytest.mark.parametrize("at", [0.001, 0.5, 0.999])
def test_one_wrong_bit_in_a_large_table_is_refused(
        tmp_path: Path, at: float, transforms: str) -> None:
    table = np.random.default_rng(1).normal(size=(30_000, 64)).astype(np.float32)  # two blocks
    source = servable(tmp_path, by_ids(lambda ids: {"rows": tf.gather(variable("table", table),
                                                                      ids)}))
    data = Path(source, "variables", "variables.data-00000-of-00001")
    octets = bytearray(data.read_bytes())
    octets[int(at * len(octets))] ^= 1
    data.write_bytes(octets)
    with pytest.raises(SourceError, match="table"):
        optimize_saved_model(source, tmp_path / "slim" / "1", transforms)
    assert not (tmp_path / "slim").exists()


def test_a_large_weight_is_read_in_slices_only(tmp_path: Path) -> None:
    table = np.random.default_rng(1).normal(size=(30_000, 64)).astype(np.float32)
    source = servable(tmp_path, by_ids(lambda ids: {"rows": tf.gather(variable("table", table),
                                                                      ids)}))
    graph = freeze(read_servable(source))
    weight = graph.weights["table"]
    assert graph.graph_def().ByteSize() < 10_000
    assert (weight.shape, weight.dtype, weight.origin) == ((30_000, 64), tf.float32, "table")
    np.testing.assert_array_equal(weight.read(29_000, 29_003), table[29_000:29_003])
    assert max(rows.nbytes for _, rows in weight.slices()) <= 4 << 20
    assert os.path.getsize(f"{source}/variables/variables.data-00000-of-00001") == table.nbytes


def test_nothing_that_reads_a_variable_is_left_where_weights_are_constants(tmp_path: Path) -> None:
    source = servable(tmp_path, by_ids(lambda ids: {"rows": tf.gather(
        v1.get_variable("table", [5000, 32]), ids)}))
    path, _ = slim(source, "strip_unused_nodes", weights="constants")
    assert not {"VarHandleOp", "ReadVariableOp", "ResourceGather"} & set(request_ops(path))
    assert not os.path.exists(f"{path}/variables")
    assert_same_answers(path, source, {"ids": np.arange(5000)})


@PLACES
@pytest.mark.parametrize("rows", [3, 300_000], ids=["small", "large"])
@pytest.mark.parametrize("transforms", ["strip_unused_nodes", "quantize_weights(minimum_size=1)"])
def test_a_reference_variable_that_a_signature_fetches_is_fetched_by_its_name(
        tmp_path: Path, transforms: str, rows: int, weights: str) -> None:
    def outputs(ids: Any) -> dict:
        table = variable("table", np.arange(rows, dtype=np.float32)[:, None], use_resource=False)
        return {"table": table, "rows": tf.gather(table, ids)}

    source = servable(tmp_path, by_ids(outputs))
    path, _ = slim(source, transforms, weights=weights)
    request = {"ids": np.arange(0, rows, 7)}
    wanted, got = answers(source, request), answers(path, request)
    bound = 0 if transforms == "strip_unused_nodes" else rows / 254
    for key, value in wanted.items():
        assert (got[key].dtype, got[key].shape) == (value.dtype, value.shape)
        np.testing.assert_allclose(got[key], value, rtol=0, atol=bound)
