"""Blocks of rows: their size, the ragged end, and the same result from any slices."""

from __future__ import annotations

import numpy as np
import pytest

from estimator_slim.quantization.blocks import decode_blocks, encode_blocks, fit_blocks, rows_per_block
from estimator_slim.quantization.fit import NonFiniteError, fit_rows
from estimator_slim.quantization.grid import encode

KINDS = [(8, False), (8, True), (4, True)]


@pytest.mark.parametrize(
    ("width", "expected"), [(1, 64), (2, 32), (3, 32), (4, 16), (33, 2), (63, 2), (64, 1), (256, 1)]
)
def test_rows_per_block(width: int, expected: int) -> None:
    assert rows_per_block(width) == expected


def test_a_block_is_no_larger_than_it_must_be() -> None:
    for width in range(1, 200):
        per_block = rows_per_block(width)
        assert per_block & (per_block - 1) == 0 and per_block * width >= 64
        assert per_block == 1 or per_block // 2 * width < 64


@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000])
@pytest.mark.parametrize("shape", [(), (1,), (3,)])
def test_each_row_is_coded_with_its_blocks_grid(
    bits: int, with_offset: bool, count: int, shape: tuple[int, ...]
) -> None:
    rows = np.random.default_rng(4).standard_normal((count, *shape)).astype(np.float32)
    per_block = rows_per_block(int(np.prod(shape)))
    grid = fit_blocks(rows, per_block, bits, with_offset)
    assert grid.scale.shape == (-(-count // per_block),)
    codes = encode_blocks(rows, grid, per_block, bits)
    assert codes.shape == rows.shape
    block = np.arange(count) // per_block
    offset = None if grid.offset is None else grid.offset[block]
    if count:
        np.testing.assert_array_equal(codes, encode(rows, grid.scale[block], offset, bits))
    values = decode_blocks(codes, grid, per_block)
    # Half a step for 8 bits; a clipped value of a 4-bit grid may be some steps off.
    allowed = 0.5001 if bits == 8 else 4
    step = grid.scale[block].reshape(-1, *(1 for _ in shape))
    assert np.all(np.abs(values - rows) <= allowed * step)


@pytest.mark.parametrize(("bits", "with_offset"), KINDS)
def test_slices_at_whole_blocks_make_no_difference(bits: int, with_offset: bool) -> None:
    rows = np.random.default_rng(5).standard_normal((1000, 3)).astype(np.float32)
    whole = fit_blocks(rows, 32, bits, with_offset)
    codes = encode_blocks(rows, whole, 32, bits)
    for size in (32, 64, 320, 992):
        parts = [rows[i : i + size] for i in range(0, 1000, size)]
        grids = [fit_blocks(part, 32, bits, with_offset) for part in parts]
        np.testing.assert_array_equal(np.concatenate([g.scale for g in grids]), whole.scale)
        sliced = [encode_blocks(part, grid, 32, bits) for part, grid in zip(parts, grids)]
        np.testing.assert_array_equal(np.concatenate(sliced), codes)


def test_a_block_of_one_row_is_the_row() -> None:
    rows = np.random.default_rng(6).standard_normal((10, 64)).astype(np.float32)
    np.testing.assert_array_equal(
        fit_blocks(rows, 1, 4, True).offset, fit_rows(rows, 4, True).offset
    )


def test_the_error_names_the_row() -> None:
    rows = np.zeros((200, 1), np.float32)
    rows[150] = np.nan
    with pytest.raises(NonFiniteError) as caught:
        fit_blocks(rows, 64, 8, False)
    assert caught.value.row == 150


def test_a_width_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="width is 0"):
        rows_per_block(0)
