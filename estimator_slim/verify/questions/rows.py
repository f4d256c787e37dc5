"""A batch of values, dense, sparse or ragged, taken apart into its rows and put together again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

SparseValue = tf.compat.v1.SparseTensorValue
RaggedValue = tf.compat.v1.ragged.RaggedTensorValue


def rows_of(value: Any) -> list[np.ndarray]:
    """The values of each row.

    Args:
      value: an array [batch, ...], a SparseTensorValue whose first dimension is the batch, or a
        RaggedTensorValue.

    Returns:
      For each row its values: of an array in their shape, otherwise [number of values].
    """
    if isinstance(value, SparseValue):
        row = np.asarray(value.indices)[:, 0]
        lengths = np.bincount(row, minlength=int(value.dense_shape[0]))
        return _cut(np.asarray(value.values)[np.argsort(row, kind="stable")], lengths)
    if isinstance(value, RaggedValue):
        splits = value.row_splits
        while isinstance(value.values, RaggedValue):
            value = value.values
            splits = value.row_splits[splits]
        return [np.ravel(value.values[start:end]) for start, end in zip(splits[:-1], splits[1:])]
    return list(value)


def values_of(value: Any) -> np.ndarray:
    """All values of an array, a SparseTensorValue or a RaggedTensorValue, in any shape."""
    if isinstance(value, RaggedValue):
        return np.asarray(value.flat_values)
    return np.asarray(value.values if isinstance(value, SparseValue) else value)


def without_padding(row: np.ndarray) -> np.ndarray:
    """What feature columns see in a dense row of strings or integers: all but `` and -1, [n]."""
    flat = np.ravel(row)
    if flat.dtype.kind == "O":
        return flat[flat != b""]
    return flat[flat != -1] if flat.dtype.kind == "i" else flat


def dense(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of [n] values, as [batch, longest]; filled up with empty strings or zeros."""
    dtype = rows[0].dtype if rows else np.dtype(np.float32)
    shape = (len(rows), max(map(len, rows), default=0))
    result = np.full(shape, b"" if dtype.kind == "O" else 0, dtype)
    for number, row in enumerate(rows):
        result[number, :len(row)] = row
    return result


def sparse(rows: Sequence[np.ndarray]) -> Any:
    """Rows of [n] values, as a SparseTensorValue [batch, longest]."""
    indices = [(number, column) for number, row in enumerate(rows) for column in range(len(row))]
    shape = (len(rows), max(map(len, rows), default=0))
    return SparseValue(np.array(indices, np.int64).reshape(-1, 2), np.concatenate(rows),
                       np.array(shape, np.int64))


def _cut(values: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    return np.split(values, np.cumsum(lengths)[:-1]) if len(lengths) else []
