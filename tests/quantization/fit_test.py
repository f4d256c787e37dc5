"""Fitting: which ranges, which rows are refused, and that slices make no difference."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from estimator_slim.errors import EstimatorSlimError
from estimator_slim.quantization import grid
from estimator_slim.quantization.fit import NonFiniteError, fit_rows
from estimator_slim.quantization.grid import decode, encode

KINDS = [(8, False), (8, True), (4, True)]
LARGEST = np.finfo(np.float32).max


def test_a_symmetric_grid_ends_at_the_largest_magnitude() -> None:
    grid = fit_rows(np.float32([[1, -254], [127, 3]]), 8, with_offset=False)
    assert grid.offset is None
    assert grid.scale.dtype == np.float32
    np.testing.assert_array_equal(grid.scale, [2, 1])


def test_an_affine_grid_starts_at_the_minimum() -> None:
    grid = fit_rows(np.float32([[-5, 250], [10, 520]]), 8, with_offset=True)
    np.testing.assert_array_equal(grid.scale, [1, 2])
    np.testing.assert_array_equal(grid.offset, [-5, 10])


@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_non_finite_row_is_named(bits: int, with_offset: bool, bad: float) -> None:
    rows = np.random.default_rng(0).standard_normal((9, 70)).astype(np.float32)
    rows[5, 69] = rows[7, 0] = bad
    with pytest.raises(NonFiniteError, match="row 5 reaches") as caught:
        fit_rows(rows, bits, with_offset)
    assert caught.value.row == 5
    assert isinstance(caught.value, EstimatorSlimError) and isinstance(caught.value, ValueError)


@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
@pytest.mark.parametrize(
    "row",
    [[0, 0], [1e-45, 0], [-1e-45, 1e-38], [LARGEST, 0], [LARGEST, LARGEST], [-LARGEST, 0]]
    + [[1e38, LARGEST], [-LARGEST / 2, LARGEST / 2], [0.1, 0.1], [1, np.nextafter(1, 2)]],
)
def test_no_row_is_too_small_or_too_large(bits: int, with_offset: bool, row: list[float]) -> None:
    rows = np.array([row * 40], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grid = fit_rows(rows, bits, with_offset)
        values = decode(encode(rows, *grid, bits=bits), *grid)
    assert np.all(grid.scale >= np.finfo(np.float32).tiny)
    # The half step, and one float at the size of the row (2**-23 of it, or the smallest float).
    float_apart = max(float(np.abs(rows).max()) * 2.0**-23, 2.0**-149)
    bound = grid.scale.astype(np.float64) * 0.5001 + float_apart
    assert np.all(np.abs(rows.astype(np.float64) - values) <= bound)


def test_a_range_beyond_float32_needs_a_symmetric_grid() -> None:
    rows = np.float32([[0, 1], [-LARGEST, LARGEST]])
    with pytest.raises(NonFiniteError, match="row 1"):
        fit_rows(rows, 8, with_offset=True)
    grid = fit_rows(rows, 8, with_offset=False)
    codes = encode(rows, *grid, bits=8)
    np.testing.assert_array_equal(codes, [[0, 127], [-127, 127]])
    assert np.isfinite(decode(codes, *grid)).all()


@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
@pytest.mark.parametrize("width", [64, 97, 256])
def test_slices_make_no_difference(
    bits: int, with_offset: bool, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(1).standard_normal((300, width)).astype(np.float32)
    whole = fit_rows(rows, bits, with_offset)
    codes = encode(rows, *whole, bits=bits)
    monkeypatch.setattr(grid, "_VALUES", 7 * width)
    for size in (1, 2, 13, 299, 300):
        parts = [rows[i : i + size] for i in range(0, 300, size)]
        grids = [fit_rows(part, bits, with_offset) for part in parts]
        np.testing.assert_array_equal(np.concatenate([g.scale for g in grids]), whole.scale)
        if with_offset:
            np.testing.assert_array_equal(np.concatenate([g.offset for g in grids]), whole.offset)
        sliced = [encode(part, *grid, bits=bits) for part, grid in zip(parts, grids)]
        np.testing.assert_array_equal(np.concatenate(sliced), codes)


@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
def test_a_strided_view_and_an_empty_table(bits: int, with_offset: bool) -> None:
    table = np.random.default_rng(2).standard_normal((40, 200)).astype(np.float32)
    grid = fit_rows(table[::2, ::2], bits, with_offset)
    np.testing.assert_array_equal(
        grid.scale, fit_rows(np.ascontiguousarray(table[::2, ::2]), bits, with_offset).scale
    )
    empty = fit_rows(table[:0], bits, with_offset)
    assert empty.scale.shape == (0,)
    assert encode(table[:0], *empty, bits=bits).shape == (0, 200)
