"""How many rows of a narrow table share a grid."""

from __future__ import annotations

import numpy as np
import pytest

from estimator_slim.quantization.blocks import Sharing, rows_per_block

WIDTHS = [2, 3, 4, 8, 16, 32, 63]
ROWS = 20_000


def bell(width: int) -> np.ndarray:
    return np.random.default_rng(6).standard_normal((ROWS, width)).astype(np.float32)


def shared(rows: np.ndarray, slice_rows: int = ROWS) -> int:
    sharing = Sharing(rows.shape[1])
    for start in range(0, len(rows), slice_rows):
        sharing.update(rows[start:start + slice_rows])
    return sharing.per_block()


@pytest.mark.parametrize("width", [1, *WIDTHS])
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e37])
def test_rows_that_are_alike_share_as_many_as_make_64_values(width: int, size: float) -> None:
    assert shared(bell(width) * np.float32(size)) == rows_per_block(width)


@pytest.mark.parametrize("width", WIDTHS)
def test_rows_of_one_size_and_rows_of_zeros_share(width: int) -> None:
    rows = np.ones((ROWS, width), np.float32)
    rows[::3] = 0
    assert shared(rows) == shared(rows * 0) == shared(rows[:0]) == rows_per_block(width)


@pytest.mark.parametrize("width", WIDTHS)
def test_neighbours_of_much_larger_rows_do_not_share(width: int) -> None:
    rows = bell(width)
    rows[::100] *= np.float32(1e30)
    assert shared(rows) == 1


@pytest.mark.parametrize("width", [4, 8, 16, 32])
def test_fewer_share_the_more_their_sizes_differ(width: int) -> None:
    rows = bell(width)
    spread = np.random.default_rng(7).standard_normal((ROWS, 1)).astype(np.float32)
    found = [shared(rows * np.exp(spread * np.float32(sigma))) for sigma in (0.1, 0.7, 1.0, 2.0)]
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == (rows_per_block(width), 1)


def test_a_row_of_one_value_has_no_size_of_its_own() -> None:
    rows = bell(1) * np.exp(3 * bell(1))
    assert shared(rows) == 64
    assert Sharing(1).is_settled and Sharing(64).is_settled and not Sharing(2).is_settled


@pytest.mark.parametrize("width", [2, 16])
def test_slices_at_whole_blocks_make_no_difference(width: int) -> None:
    for sigma in (0.0, 0.7, 1.0):
        rows = bell(width) * np.exp(np.float32(sigma) * bell(1)[:, :1])
        assert len({shared(rows, size) for size in (64, 640, 19_968, ROWS)}) == 1
