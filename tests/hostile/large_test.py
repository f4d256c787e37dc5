"""Optimizing takes time in proportion to the graph, however deep or wide it is, and no deep stack."""

from __future__ import annotations

import cProfile
import pstats
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import optimize_saved_model
from estimator_slim.graph import Symbols, sparse_facts
from estimator_slim.saved_model.reader import read_servable
from tests.hostile.large import FAMILIES, INT, Writer, large

DEEP = 5_000   # several times what Python's stack holds
GROWTH = 2.2   # of the work when the graph doubles: what is done once for each node, sorting included


def work(folder: Path, family: str, count: int) -> int:
    """The number of calls, of Python and C functions, that optimizing takes."""
    source = large(folder / f"{count}" / "1", family, count)
    profile = cProfile.Profile()
    profile.runcall(optimize_saved_model, source, folder / f"{count}-slim" / "1")
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [120, pytest.param(400, marks=pytest.mark.long)])
@pytest.mark.parametrize("family", FAMILIES)
def test_twice_the_nodes_take_twice_the_work(tmp_path: Path, family: str, count: int) -> None:
    work(tmp_path, family, 10)  # what is done once in a process
    assert work(tmp_path, family, 2 * count) < GROWTH * work(tmp_path, family, count)


def test_shapes_behind_a_chain_deeper_than_a_stack_are_known(tmp_path: Path) -> None:
    graph = read_servable(large(tmp_path / "1", "relus", DEEP)).graph
    assert sys.getrecursionlimit() < DEEP
    assert Symbols(graph).shape(f"n{DEEP - 1}") == Symbols(graph).shape("x")


def test_what_is_certain_of_ids_behind_a_deep_chain_is_known(tmp_path: Path) -> None:
    writer = Writer()
    words = writer.add("AsString", "words", "x", T=tf.float32)
    last = writer.add("StringToHashBucketFast", "ids", words, num_buckets=10)
    for n in range(DEEP):
        last = writer.add("AddV2", f"n{n}", last, last, T=tf.int64)
    writer.add("Cast", "y", last, SrcT=tf.int64, DstT=tf.float32, Truncate=False)
    graph = read_servable(writer.save(tmp_path / "1", ["y"])).graph
    assert sparse_facts.never_negative(graph, last)


def test_the_order_of_rows_behind_a_deep_chain_is_known(tmp_path: Path) -> None:
    writer = Writer()
    flags = writer.add("Cast", "flags", "x", SrcT=tf.float32, DstT=tf.bool, Truncate=False)
    last = writer.add("Where", "where", flags, T=tf.bool)
    shape = writer.constant("shape", np.array([100, 2], np.int64))
    for n in range(DEEP):
        last = writer.add("SparseReshape", f"n{n}", last, shape, shape)
    writer.add("Cast", "y", last, SrcT=tf.int64, DstT=tf.float32, Truncate=False)
    graph = read_servable(writer.save(tmp_path / "1", ["y"])).graph
    assert sparse_facts.in_row_order(graph, last)


def test_rows_that_are_joined_with_themselves_again_and_again_are_followed_no_further(
        tmp_path: Path) -> None:
    writer = Writer()
    table = writer.constant("table", np.ones((64, 32), np.float32))
    axis, last_axis = (writer.constant(f"axis{n}", np.int32(n)) for n in (0, 1))
    ids = writer.add("Cast", "ids", "x", SrcT=tf.float32, DstT=INT, Truncate=False)
    flat = writer.add("Reshape", "flat", ids, writer.constant("all", np.array([-1], np.int32)), T=INT,
                      Tshape=INT)
    last = writer.add("GatherV2", "rows", table, flat, axis, Tparams=tf.float32, Tindices=INT, Taxis=INT,
                      batch_dims=0)
    for n in range(40):  # 2**40 ways
        last = writer.add("ConcatV2", f"n{n}", last, last, last_axis, T=tf.float32, Tidx=INT, N=2)
    source = writer.save(tmp_path / "1", [last])
    optimize_saved_model(source, tmp_path / "slim", "quantize_weights(bits=4)")
    assert (tmp_path / "slim/saved_model.pb").exists()
