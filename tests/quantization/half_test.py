"""float16: what fits, and how close it comes."""

from __future__ import annotations

import numpy as np
import pytest

from estimator_slim.quantization.precision import fits_float16, to_float16


@pytest.mark.parametrize(
    ("value", "expected"),
    [(65504, True), (-65504, True), (65505, False), (-65505, False), (0, True), (1e-45, True)]
    + [(np.nan, False), (np.inf, False), (-np.inf, False)],
)
def test_what_fits(value: float, expected: bool) -> None:
    rows = np.zeros((5, 4), np.float32)
    rows[3, 1] = value
    assert fits_float16(rows) is expected


def test_no_rows_fit() -> None:
    assert fits_float16(np.zeros((0, 4), np.float32)) is True


def test_conversion() -> None:
    rows = np.random.default_rng(10).standard_normal((30, 40)).astype(np.float32)
    halves = to_float16(rows)
    assert halves.dtype == np.float16 and halves.shape == rows.shape
    # Half of the last of 11 bits; below 2**-14 the last place is 2**-24.
    bound = np.maximum(np.abs(rows) * 2.0**-11, 2.0**-25)
    assert np.all(np.abs(halves.astype(np.float32) - rows) <= bound)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="values beyond 65504"):
        to_float16(np.float32([[1, 1e5]]))
