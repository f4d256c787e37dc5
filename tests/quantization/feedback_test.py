"""Rounding to the next layer's advantage."""

from __future__ import annotations

import numpy as np

from estimator_slim.quantization.feedback import encode_with_feedback, feedback_for
from estimator_slim.quantization.fit import fit_rows
from estimator_slim.quantization.grid import decode, encode


def _layer(width: int, units: int, seed: int = 3) -> np.ndarray:
    """A kernel whose directions weigh as differently as a trained one's."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((width, units)) * np.geomspace(1, 0.02, units)).astype(np.float32)


def _rows(count: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((count, width)).astype(np.float32)


def test_the_layer_changes_less_than_with_nearest_codes() -> None:
    kernel, rows = _layer(96, 64), _rows(5000, 96)
    grid = fit_rows(rows, 4, True)
    passed_on = encode_with_feedback(rows, grid, 15, feedback_for(kernel @ kernel.T))
    nearest = encode(rows, *grid, bits=4)

    def error(codes: np.ndarray) -> float:
        return float(np.square((decode(codes, *grid) - rows) @ kernel).sum())

    assert error(passed_on) < 0.5 * error(nearest)


def test_codes_stay_within_four_bits() -> None:
    kernel, rows = _layer(64, 8), _rows(1000, 64) * np.float32(100)
    codes = encode_with_feedback(rows, fit_rows(rows, 4, True), 15, feedback_for(kernel @ kernel.T))
    assert codes.dtype == np.uint8
    assert codes.max() <= 15


def test_a_layer_that_weighs_all_alike_gets_the_nearest_codes() -> None:
    rows = _rows(500, 40)
    grid = fit_rows(rows, 4, True)
    codes = encode_with_feedback(rows, grid, 15, feedback_for(np.eye(40)))
    steps = (rows - grid.offset[:, None]) / grid.scale[:, None]
    clipped = np.clip(steps, 0, 15)
    assert np.all(np.abs(codes - clipped) <= 0.5 + 1e-5)  # float32: a tie may fall to either side


def test_a_kernel_of_zeros_is_no_error() -> None:
    rows = _rows(10, 8)
    codes = encode_with_feedback(rows, fit_rows(rows, 4, True), 15, feedback_for(np.zeros((8, 8))))
    assert codes.shape == rows.shape
