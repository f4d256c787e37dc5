"""One grid for a table: the same from any slices, and no value clipped."""

from __future__ import annotations

import numpy as np
import pytest

from estimator_slim.quantization.fit import NonFiniteError, TableRange
from estimator_slim.quantization.grid import decode, encode

TABLE = np.random.default_rng(8).standard_normal((500, 33)).astype(np.float32)


@pytest.mark.parametrize(("bits", "with_offset"), [(8, False), (8, True), (4, True)])
@pytest.mark.parametrize("size", [1, 77, 500])
def test_a_table_in_slices(bits: int, with_offset: bool, size: int) -> None:
    seen = TableRange()
    for start in range(0, 500, size):
        seen.update(TABLE[start : start + size])
    grid = seen.grid(bits, with_offset)
    assert grid.scale.shape == (1,) and grid.scale.dtype == np.float32
    if with_offset:
        np.testing.assert_array_equal(grid.offset, [TABLE.min()])
    else:
        assert grid.scale[0] == np.abs(TABLE).max() / np.float32(127)
    values = decode(encode(TABLE, *grid, bits=bits), *grid)
    # Half a step, and the float32 rounding of 255 steps.
    assert np.abs(values - TABLE).max() <= grid.scale[0] * 0.5001


def test_empty_slices_add_nothing() -> None:
    seen = TableRange()
    seen.update(TABLE[:0])
    with pytest.raises(ValueError, match="no row was seen"):
        seen.grid(8, False)
    seen.update(TABLE)
    seen.update(TABLE[:0])
    assert seen.grid(8, False).scale[0] == np.abs(TABLE).max() / np.float32(127)


def test_the_error_names_the_row_and_the_range_stays() -> None:
    seen = TableRange()
    seen.update(TABLE)
    bad = TABLE[:5].copy()
    bad[3, 2] = np.nan
    with pytest.raises(NonFiniteError) as caught:
        seen.update(bad)
    assert caught.value.row == 3
    assert np.isfinite(seen.grid(8, True).scale).all()
