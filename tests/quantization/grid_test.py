"""The arithmetic of codes: exact values, error bounds, idempotence."""

from __future__ import annotations

import numpy as np
import pytest

from estimator_slim.quantization.fit import fit_rows
from estimator_slim.quantization.grid import code_limits, decode, encode

KINDS = [(8, False), (8, True), (4, True)]


def _tables() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    bell = rng.standard_normal((50, 96)).astype(np.float32)
    return {
        "bell": bell,
        "one_sided": np.maximum(bell, 0),
        "far_from_zero": bell + np.float32(1000),
        "few_floats_apart": np.float32(1000) + np.float32(2**-14) * rng.integers(0, 40, (50, 96)),
        "tiny": bell * np.float32(1e-38),
        "subnormal": bell * np.float32(1e-42),
        "huge": (bell / np.abs(bell).max() * 1.7e38).astype(np.float32),
        "constant": np.full((3, 96), 0.3, np.float32),
        "zero": np.zeros((3, 96), np.float32),
    }


TABLES = {name: table.astype(np.float32) for name, table in _tables().items()}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("with_offset", [False, True])
def test_eight_bits_are_off_by_half_a_step_at_most(name: str, with_offset: bool) -> None:
    rows = TABLES[name]
    grid = fit_rows(rows, 8, with_offset)
    values = decode(encode(rows, *grid, bits=8), *grid).astype(np.float64)
    # Half a step; 255 steps each with the float32 error of 1 / scale and of the products
    # (2**-24 relative, four roundings); the rounding of the sum, half a float at the row's size.
    step = grid.scale.astype(np.float64)[:, None]
    rounding = np.spacing(np.abs(rows).max(axis=1)).astype(np.float64)[:, None]
    bound = step * (0.5 + 255 * 4 * 2**-24) + rounding
    assert np.all(np.abs(rows - values) <= bound)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
def test_codes_survive_a_round_trip(name: str, bits: int, with_offset: bool) -> None:
    rows = TABLES[name]
    grid = fit_rows(rows, bits, with_offset)
    codes = encode(rows, *grid, bits=bits)
    np.testing.assert_array_equal(encode(decode(codes, *grid), *grid, bits=bits), codes)


@pytest.mark.parametrize("name", TABLES)
def test_symmetric_codes_keep_zero(name: str) -> None:
    rows = TABLES[name].copy()
    rows[:, ::3] = 0
    grid = fit_rows(rows, 8, with_offset=False)
    codes = encode(rows, *grid, bits=8)
    assert not codes[:, ::3].any()
    assert not decode(codes, *grid)[:, ::3].any()


def test_an_offset_keeps_the_zeros_of_a_relu() -> None:
    rows = TABLES["one_sided"]
    grid = fit_rows(rows, 8, with_offset=True)
    assert not decode(encode(rows, *grid, bits=8), *grid)[rows == 0].any()


@pytest.mark.parametrize("name", ["constant", "zero", "few_floats_apart"])
@pytest.mark.parametrize("bits", [8, 4])
def test_an_offset_keeps_what_it_can_represent(name: str, bits: int) -> None:
    rows = TABLES[name] if bits == 8 else TABLES[name].clip(max=np.float32(1000 + 15 * 2**-14))
    grid = fit_rows(rows, bits, with_offset=True)
    np.testing.assert_array_equal(decode(encode(rows, *grid, bits=bits), *grid), rows)


@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
def test_integers_on_the_grid_are_exact(bits: int, with_offset: bool) -> None:
    first, last = code_limits(bits, with_offset)
    rows = np.arange(first, last + 1, dtype=np.float32)[None] * np.float32(0.25)
    grid = fit_rows(rows, bits, with_offset)
    assert grid.scale[0] == 0.25
    np.testing.assert_array_equal(decode(encode(rows, *grid, bits=bits), *grid), rows)


@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
def test_values_beyond_the_grid_get_its_ends(bits: int, with_offset: bool) -> None:
    offset = np.float32([0]) if with_offset else None
    codes = encode(np.float32([[-1e9, 1e9]]), np.float32([1]), offset, bits)
    assert tuple(codes[0]) == (code_limits(bits, with_offset))


@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
def test_decoding_is_one_float32_rounding_a_step(bits: int, with_offset: bool) -> None:
    grid = fit_rows(TABLES["bell"], bits, with_offset)
    codes = encode(TABLES["bell"], *grid, bits=bits)
    expected = codes.astype(np.float32) * grid.scale[:, None]
    if grid.offset is not None:
        expected = expected + grid.offset[:, None]
    values = decode(codes, *grid)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, expected)


def test_one_grid_may_serve_all_rows() -> None:
    rows = TABLES["bell"]
    scale, offset = np.float32([0.1]), np.float32([-4])
    each = encode(rows, scale.repeat(50), offset.repeat(50), 8)
    np.testing.assert_array_equal(encode(rows, scale, offset, 8), each)
    np.testing.assert_array_equal(
        decode(each, scale, offset), decode(each, scale.repeat(50), offset.repeat(50))
    )


@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
def test_rows_of_any_rank(bits: int, with_offset: bool) -> None:
    flat = TABLES["bell"]
    rows = flat.reshape(50, 4, 24)
    grid = fit_rows(rows, bits, with_offset)
    codes = encode(rows, *grid, bits=bits)
    assert codes.shape == rows.shape and grid.scale.shape == (50,)
    np.testing.assert_array_equal(codes.reshape(50, 96), encode(flat, *grid, bits=bits))
    np.testing.assert_array_equal(
        decode(codes, *grid).reshape(50, 96), decode(codes.reshape(50, 96), *grid)
    )


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="bits is 5, expected 8 or 4"):
        code_limits(5, True)
    with pytest.raises(ValueError, match="4-bit codes need an offset"):
        code_limits(4, False)
    with pytest.raises(TypeError, match="rows are float64, expected float32"):
        encode(np.zeros((2, 3)), np.ones(2, np.float32), None, 8)
    with pytest.raises(ValueError, match="3 scales for 2 rows"):
        encode(np.zeros((2, 3), np.float32), np.ones(3, np.float32), None, 8)
    with pytest.raises(ValueError, match="at least one value"):
        encode(np.zeros((2, 0), np.float32), np.ones(2, np.float32), None, 8)
