"""Round a row so that what the next layer makes of it changes least, not the row itself.

Where rows of a table are added up and multiplied by a kernel k [width, m], an error e of a row changes
the layer by e @ k, and its squared size is e @ h @ e.T with h = k @ k.T. So values are rounded one after
the other, and the error that one rounding makes is taken off the values still to come, in the proportion
that cancels most of it in the layer.

For example: the layer sees only the sum of two values, the row is [0.4, 0.4] and the grid has steps of
1. The nearest codes are [0, 0], off by 0.8 in the layer. Here the first value becomes 0, most of the 0.4
that are lost go to the second, and 0.76 becomes 1: off by 0.2 in the layer.

This is the update of Frantar et al. 2022, "GPTQ: Accurate Post-Training Quantization for Generative
Pre-trained Transformers"; they estimate h from sample data, here it is known exactly.

The grid stays that of the row. Single values move by more than half a step, which is the point.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from estimator_slim.quantization.grid import Grid

_DAMPING = 0.1    # of the mean diagonal of h: how much the values themselves count beside the layer
_ROWS = 2048      # at once
_FEW = 4          # columns: numpy takes longer to begin a product of fewer than for the product


class Feedback(NamedTuple):
    """How errors are passed on.

    order: int [width], the columns in the order they are rounded, those that weigh most first.
    pass_on: float32 [width, width], in that order: row j times the error of column j is taken off the
      columns after it.
    """

    order: np.ndarray
    pass_on: np.ndarray


def feedback_for(importance: np.ndarray) -> Feedback:
    """The feedback for `importance` = k @ k.T, float [width, width], summed over all kernels."""
    width = len(importance)
    scale = max(float(np.mean(np.diag(importance))), np.finfo(np.float32).tiny)
    order = np.argsort(-np.diag(importance), kind="stable")
    damped = importance[np.ix_(order, order)] / scale + _DAMPING * np.eye(width)
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    return Feedback(order, (upper / np.diag(upper)[:, None]).astype(np.float32))


def encode_with_feedback(rows: np.ndarray, grid: Grid, last: int, given: Feedback) -> np.ndarray:
    """Codes 0..last of float32 rows [n, width] on affine grids: uint8 [n, width].

        >>> h = feedback_for(np.ones((2, 2)))                    # the next layer only sees the sum
        >>> grid = Grid(np.float32([1]), np.float32([0]))
        >>> encode_with_feedback(np.float32([[0.4, 0.4]]), grid, 15, h)     # not 0 and 0
        array([[0, 1]], dtype=uint8)
    """
    codes = np.empty(rows.shape, np.uint8)

    def encode_part(start: int) -> None:
        part = slice(start, start + _ROWS)
        steps = rows[part][:, given.order].T.copy()
        if grid.offset is not None:
            steps -= grid.offset[part]
        steps *= np.float32(1) / grid.scale[part]
        in_order = np.empty(steps.shape, np.uint8)
        _round_in_order(steps, in_order, np.float32(last), given.pass_on)
        codes[part, given.order] = in_order.T

    for start in range(0, len(rows), _ROWS):
        encode_part(start)
    return codes


def _round_in_order(steps: np.ndarray, codes: np.ndarray, last: np.float32, pass_on: np.ndarray) -> None:
    """Rounds `steps` of the grid, float32 [width, n], to `codes` and leaves the errors in `steps`.

    One column of the table after the other. Of up to _FEW columns each takes what it leaves over off
    the next ones by itself; of more, the first half does it by one matrix product.
    """
    width = len(steps)
    if width > _FEW:
        half = width // 2
        _round_in_order(steps[:half], codes[:half], last, pass_on[:half, :half])
        steps[half:] -= pass_on[:half, half:].T @ steps[:half]
        _round_in_order(steps[half:], codes[half:], last, pass_on[half:, half:])
        return
    for column in range(width):
        code = np.rint(steps[column])
        np.maximum(code, np.float32(0), out=code)
        codes[column] = np.minimum(code, last, out=code)
        steps[column] -= code
        steps[column + 1:] -= pass_on[column, column + 1:, None] * steps[column]
