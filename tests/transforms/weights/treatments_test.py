"""The report says of each weight what quantize_weights made of it, and how far its values are off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.report import Treatment
from tests.support.by_hand import answers, servable, slim, v1, variable

RANDOM = np.random.default_rng(5)
WIDE = RANDOM.normal(size=(300, 256)).astype(np.float32)
NARROW = RANDOM.normal(size=(300, 3)).astype(np.float32)
KERNEL = RANDOM.normal(size=(256, 300)).astype(np.float32)


def network() -> Any:
    """A table of wide rows, which a large kernel multiplies, and one of narrow rows."""
    ids = v1.placeholder(tf.int64, [None], "ids")
    wide = tf.gather(variable("wide", WIDE), ids)
    return {"ids": ids}, {"wide": wide, "narrow": tf.gather(variable("narrow", NARROW), ids),
                          "product": tf.matmul(wide, variable("kernel", KERNEL))}


@pytest.fixture(scope="module")
def source(tmp_path_factory: Any) -> str:
    return servable(tmp_path_factory.mktemp("source"), network)


def treated(source: str, options: str) -> tuple[str, dict[str, Treatment]]:
    """The slim servable's directory, and the treatment of each weight by its name."""
    directory, report = slim(source, f"quantize_weights(minimum_size=1, {options})", verify="off")
    return directory, {one.weight: one for one in report.steps[0].treated}


def relative(got: np.ndarray, values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Root of the mean square of errors, as a share of that of the values."""
    return np.sqrt(np.square(got - values, dtype=np.float64).sum(axis)
                   / np.square(values, dtype=np.float64).sum(axis))


@pytest.mark.parametrize("options, codes, per_scale, bytes_after", [
    ("bits=8", ("int8", "uint8"), 1, 300 * 256 + 300 * 4), ("bits=16", ("float16",), None, 300 * 512),
    ("bits=4", ("uint8",), 1, 300 * 128 + 300 * 8),
    ("granularity=table", ("int8", "uint8"), 0, 300 * 256 + 4)])
def test_a_table_is_told_with_its_codes_its_bytes_and_the_error_that_requests_see(
        source: str, options: str, codes: tuple, per_scale: int | None, bytes_after: int) -> None:
    directory, found = treated(source, options)
    got, one = answers(directory, {"ids": np.arange(300)}), found["wide"]
    assert (one.shape, one.dtype, one.bytes_before) == ((300, 256), "float32", 300 * 256 * 4)
    assert (one.origin, one.codes in codes, one.per_scale) == ("wide", True, per_scale)
    assert one.bytes_after == bytes_after
    assert one.error == pytest.approx(relative(got["wide"], WIDE), rel=1e-5)
    rows = relative(got["wide"], WIDE, axis=1)
    assert one.row_errors == pytest.approx(np.quantile(rows, np.linspace(0, 1, 21)), rel=1e-5)
    assert found["narrow"].error == pytest.approx(relative(got["narrow"], NARROW), rel=1e-5)


def test_rows_that_share_a_scale_and_a_kernel_that_is_decoded_at_load_are_told_too(source: str) -> None:
    _, found = treated(source, "bits=4")
    assert found["narrow"].per_scale == 32
    assert (found["kernel"].bits, found["wide"].bits) == (8, 4)
    assert found["kernel"].bytes_after < found["kernel"].bytes_before / 3.9


def test_of_a_large_weight_rows_from_all_over_it_are_measured(tmp_path: Path) -> None:
    values = np.ones((20_000, 64), np.float32)
    values[10_000:] = RANDOM.normal(size=(10_000, 64))

    def large() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        return {"ids": ids}, {"rows": tf.gather(variable("large", values), ids)}
    directory, found = treated(servable(tmp_path, large), "bits=8")
    got = answers(directory, {"ids": np.arange(20_000)})["rows"]
    assert found["large"].error == pytest.approx(relative(got, values), rel=0.05)
    assert found["large"].row_errors[5] < 1e-6 < found["large"].row_errors[15]


def test_what_is_left_alone_has_a_reason_and_no_treatment(source: str) -> None:
    _, report = slim(source, "quantize_weights(minimum_size=1000)", verify="off")
    assert [one.weight for one in report.steps[0].treated] == ["wide", "kernel"]
    assert report.steps[0].skipped == [("narrow", "it has 900 values, fewer than minimum_size")]
