"""Which rows a float format keeps, and what is said of those that it does not."""

from __future__ import annotations

import numpy as np
import pytest

from estimator_slim.errors import EstimatorSlimError
from estimator_slim.quantization.precision import PrecisionError, require_precision

BELL = np.random.default_rng(3).standard_normal((4000, 32))
NARROW = np.random.default_rng(4).standard_normal(1 << 18)


def lost(rows: np.ndarray, bits: int) -> int | None:
    """The first row that is lost, or None."""
    try:
        require_precision(rows, bits)
    except PrecisionError as e:
        return e.row
    return None


@pytest.mark.parametrize("bits", [8, 4, 16])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("width", [1, 2, 3, 5, 16, 64])
def test_values_around_zero_are_kept_however_narrow_the_table(
        width: int, dtype: type, bits: int) -> None:
    assert lost(NARROW[:len(NARROW) // width * width].reshape(-1, width).astype(dtype), bits) is None


@pytest.mark.parametrize("bits", [8, 4, 16])
@pytest.mark.parametrize("value", [0.0, 0.3, -1000.1])
def test_rows_of_one_value_are_kept(value: float, bits: int) -> None:
    assert lost(np.full((7, 32), value), bits) is None


@pytest.mark.parametrize("width", [1, 3, 32])
@pytest.mark.parametrize(("bits", "apart", "is_kept"),
                         [(8, 60, False), (8, 1e4, False), (8, 1e6, True), (4, 1e3, False),
                          (4, 1e5, True)])
def test_times_in_float64_are_kept_where_float32_tells_them_apart(
        width: int, bits: int, apart: float, is_kept: bool) -> None:
    times = 1.6e9 + np.random.default_rng(5).uniform(0, apart, (640, width))
    assert (lost(times, bits) is None) == is_kept


@pytest.mark.parametrize(("off", "is_kept"), [(1, True), (100, False)])
def test_float16_keeps_rows_that_vary_more_than_it_rounds(off: float, is_kept: bool) -> None:
    rows = (BELL * 0.3 + off).astype(np.float32)
    assert (lost(rows, 16) is None) == is_kept


@pytest.mark.parametrize(("bits", "size"), [(8, 1e-60), (8, 1e-41), (4, 1e-41), (16, 1e-10)])
@pytest.mark.parametrize("width", [2, 8, 32])
def test_rows_that_vanish_are_named_unless_they_are_next_to_nothing_beside_others(
        width: int, bits: int, size: float) -> None:
    rows = BELL[:, :width] * size
    rows[:17] = 0
    assert lost(rows, bits) == 17
    with pytest.raises(EstimatorSlimError, match="row 17 lies between .* keeps [01] of [0-9]* steps:"):
        require_precision(rows, bits)
    rows[400] = BELL[400, :width]
    assert lost(rows, bits) is None


def test_the_message_counts_the_steps() -> None:
    rows = np.zeros((30, 64))
    rows[20] = 1.6e9 + np.linspace(0, 2560, 64)
    with pytest.raises(PrecisionError, match="row 20 lies between 1600000000 and 1600002560, of which "
                       "float32 keeps (19|2[0-9]) of 256 steps:"):
        require_precision(rows, 8)


def test_what_is_not_finite_and_no_rows_are_no_loss() -> None:
    for value in (np.nan, np.inf):
        rows = BELL.copy()
        rows[3, 4] = value
        assert lost(rows, 8) is None
    assert lost(BELL[:0], 16) is None
