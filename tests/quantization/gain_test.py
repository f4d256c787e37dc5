"""When rows get an offset: one-sided values do, bell-shaped ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from estimator_slim.quantization.fit import NonFiniteError, gains_from_offset

BELL = np.random.default_rng(9).standard_normal((200, 256)).astype(np.float32)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(BELL, False, id="bell"),
        pytest.param(np.clip(BELL, -2, 2) / 16, False, id="clipped bell"),
        pytest.param(BELL[:, :64], False, id="narrow bell"),
        pytest.param(np.zeros_like(BELL), False, id="zero"),
        pytest.param(BELL + np.float32(0.3), False, id="a little off centre"),
        pytest.param(np.maximum(BELL, 0), True, id="relu"),
        pytest.param(np.maximum(BELL[:, :64], 0), True, id="narrow relu"),
        pytest.param(-np.abs(BELL), True, id="negative"),
        pytest.param(BELL + np.float32(10), True, id="far from zero"),
        pytest.param(np.maximum(BELL[:, :8], 0), False, id="four bytes are half of eight values"),
    ],
)
def test_eight_bits(rows: np.ndarray, expected: bool) -> None:
    assert gains_from_offset(rows, bits=8) is expected


def test_four_bits_always_have_an_offset() -> None:
    assert gains_from_offset(BELL, bits=4) is True


def test_magnitude_makes_no_difference() -> None:
    assert gains_from_offset(np.maximum(BELL, 0) * np.float32(1e-30), bits=8) is True
    assert gains_from_offset(np.maximum(BELL, 0) * np.float32(1e30), bits=8) is True


def test_a_row_without_a_grid() -> None:
    rows = BELL.copy()
    rows[11, 0] = np.inf
    with pytest.raises(NonFiniteError, match="row 11"):
        gains_from_offset(rows, bits=8)
