"""quantize_weights: given twice in one list, and large constants as large variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alike import assert_same_answers
from tests.support.by_hand import answers, bytes_of, reasons, servable, slim, v1, variable
from tests.support.sample import in_turn

ROWS = 20_000


def table(*shape: int, off: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(6).normal(size=shape) + off).astype(np.float32)


@in_turn(3, shape=[(ROWS, 16), (ROWS, 64), (3000, 6, 7)], off={"scales": 0.0, "scales and offsets": 3.0},
         bits=[8, 4, 16])
def test_what_is_coded_is_not_coded_again_by_the_same_list(
        tmp_path: Path, shape: tuple, off: float, bits: int) -> None:
    def network() -> Any:
        ids, other = (v1.placeholder(tf.int64, [None], name) for name in ("ids", "other"))
        rows = tf.gather(variable("table", table(*shape, off=off)),
                         [ids, tf.bitwise.right_shift(other, 1)])
        return {"ids": ids, "other": other}, {"rows": rows[0], "more": rows[1]}

    source = servable(tmp_path, network)
    once, _ = slim(source, f"quantize_weights(bits={bits})", verify="off")
    twice, _ = slim(source, f"quantize_weights(bits={bits}) quantize_weights", verify="off")
    assert checksums(twice) == checksums(once)


def checksums(directory: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(directory).rglob("*") if path.is_file()}


@pytest.mark.parametrize("bits", [8, 16])
def test_a_large_constant_that_is_looked_up_and_multiplied_is_coded_as_a_variable_is(
        tmp_path: Path, bits: int) -> None:
    values = table(ROWS, 32)

    def export(as_variable: bool) -> str:
        def network() -> Any:
            ids = v1.placeholder(tf.int64, [None], "ids")
            held = variable("table", values) if as_variable else tf.constant(values, name="table")
            rows = tf.gather(held, ids)
            return {"ids": ids}, {"rows": rows, "product": tf.matmul(tf.eye(32), held, transpose_b=True)}
        return servable(tmp_path, network)

    transforms = f"strip_unused_nodes remove_nodes(op=Identity) quantize_weights(bits={bits})"
    constant, report = slim(export(False), transforms, verify="off")
    held, _ = slim(export(True), transforms, verify="off")
    assert "table" not in reasons(report)
    assert bytes_of(constant) <= bytes_of(held) + 1000
    ids = np.arange(ROWS)
    assert_same_answers(constant, held, {"ids": ids})
    got = answers(constant, {"ids": ids})
    np.testing.assert_array_equal(got["rows"], got["product"].T)
    assert 0 < np.abs(got["rows"] - values).max() < 0.05
