"""quantize_weights: slim servables optimized again, and large constants as large variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from by_hand import (
    answers,
    assert_same_answers,
    bytes_of,
    reasons,
    servable,
    slim,
    stored,
    v1,
    variable,
)

from estimator_slim.transforms import DEFAULT

ROWS = 20_000


def table(*shape: int, off: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(6).normal(size=shape) + off).astype(np.float32)


@pytest.mark.parametrize("bits", [8, 4, 16])
@pytest.mark.parametrize("off", [0.0, 3.0], ids=["scales", "scales and offsets"])
@pytest.mark.parametrize("shape", [(ROWS, 16), (ROWS, 64), (ROWS, 33), (3000, 6, 7)], ids=str)
def test_a_slim_servable_stays_as_it_is_when_it_is_optimized_again(
        tmp_path: Path, shape: tuple, off: float, bits: int) -> None:
    def network() -> Any:
        ids, other = (v1.placeholder(tf.int64, [None], name) for name in ("ids", "other"))
        rows = tf.gather(variable("table", table(*shape, off=off)),
                         [ids, tf.bitwise.right_shift(other, 1)])
        return {"ids": ids, "other": other}, {"rows": rows[0], "more": rows[1]}

    transforms = DEFAULT.replace("quantize_weights", f"quantize_weights(bits={bits})")
    once, _ = slim(servable(tmp_path, network), transforms, verify="off")
    twice, report = slim(once, transforms, verify="off")
    ids = np.arange(shape[0])
    assert_same_answers(twice, once, {"ids": ids, "other": ids[::-1].copy()}, {"ids": ids, "other": ids})
    assert bytes_of(twice) <= bytes_of(once)
    if bits != 16:
        assert "it scales or shifts what is stored as codes already" in reasons(report)


def test_a_column_that_multiplies_other_things_is_no_scale(tmp_path: Path) -> None:
    """Looked up by other ids, or multiplied with rows that are no codes."""
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        kinds = variable("kinds", np.arange(9 * ROWS, dtype=np.int8).reshape(-1, 9))
        first, second = (variable(name, table(100_000, 1)) for name in ("first", "second"))
        return {"ids": ids}, {
            "one": tf.cast(tf.gather(kinds, ids), tf.float32) * tf.gather(first, ids * 2),
            "two": tf.cast(ids[:, None], tf.float32) * tf.gather(second, ids)}

    path, report = slim(servable(tmp_path, network), DEFAULT, verify="off", weights="variables")
    coded = [key for key in stored(path) if "/codes" in key]
    assert {key.split("/")[0] for key in coded} == {"first", "second"}
    assert "it scales" not in reasons(report)


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
