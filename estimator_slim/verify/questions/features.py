"""The features of a batch, as an input_fn gives them → what a signature's inputs take.

A batch of values, dense, sparse or ragged, is taken apart into its rows. These become the features of
serialized tf.Examples, or are put together again as an input takes them: dense or sparse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.verify.questions.examples import are_examples, serialized
from estimator_slim.verify.questions.parsers import Feature
from estimator_slim.verify.questions.served_inputs import ServedInput
from estimator_slim.verify.questions.wrapping import wrapped

SparseValue = tf.compat.v1.SparseTensorValue
RaggedValue = tf.compat.v1.ragged.RaggedTensorValue
SERIALIZED = "serialized tf.Examples"  # the key of such as are for any signature that parses them


def fed(inputs: Sequence[ServedInput],
        features: Mapping[str, Any]) -> list[tuple[slice, dict[str, Any]]]:
    """What to feed the inputs of one signature, in batches of a size that it takes.

    Args:
      inputs: of the signature.
      features: key → array [batch, ...], SparseTensorValue or RaggedTensorValue. Those that
        tf.Examples are to hold are found by the keys of the parser; others by the keys of the inputs,
        but for an only input, which takes an only feature under any name.

    Returns:
      (rows of the batch, input key → value), once, or often where the signature takes a fixed number
      of rows; [] where the features do not fit.
    """
    if any(one.any_batch for one in inputs):
        whole = _whole(inputs, features)
        return [(slice(None), whole)] if whole else []
    whole = _whole([replace(one, shape=(None, *one.shape[1:])) for one in inputs], features)
    return list(in_fixed_batches(inputs, whole)) if whole else []


def in_fixed_batches(inputs: Sequence[ServedInput],
                     whole: Mapping[str, np.ndarray]) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """(rows, input key → value) for batches of the size that the inputs take, if it is the same one."""
    sizes = {one.shape[0] if one.shape else 1 for one in inputs}
    size = sizes.pop()
    if sizes or not size or any(one.is_sparse for one in inputs):
        return
    for start in range(0, min(map(len, whole.values())) - size + 1, size):
        rows = slice(start, start + size)
        yield rows, {one.key: whole[one.key][rows] if one.shape else whole[one.key][start]
                     for one in inputs if one.key in whole}


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


def _whole(inputs: Sequence[ServedInput], features: Mapping[str, Any]) -> dict[str, Any]:
    """What to feed for the batch as a whole, {} if it does not fit."""
    result = {}
    for one in inputs:
        value = _of_examples(one, features) if one.features else _raw(one, _found(one, inputs, features))
        if value is not None:
            result[one.key] = value
        elif not one.optional:
            return {}
    return result


def _of_examples(one: ServedInput, features: Mapping[str, Any]) -> np.ndarray | None:
    """Serialized Examples, as they are given or made of features, as an input takes them; or None."""
    if SERIALIZED in features:
        return wrapped(features[SERIALIZED], one.wraps)
    keys = {feature.key for feature in one.features}
    given = features.get(one.key) if one.key not in keys else None
    if given is None and set(features) == {""} and are_examples(values_of(features[""]), keys):
        given = features[""]
    made = None if given is not None else _examples(one.features, features)
    return _raw(one, given) if given is not None else None if made is None else wrapped(made, one.wraps)


def _examples(wanted: Sequence[Feature], features: Mapping[str, Any]) -> np.ndarray | None:
    """Serialized Examples, [batch]; None if a required feature is missing, or all are."""
    given = [feature for feature in wanted if feature.key in features]
    if not given or any(feature.required and feature not in given for feature in wanted):
        return None
    columns = [_column(feature, features[feature.key]) for feature in given]
    if any(column is None for column in columns):
        return None
    keys = [feature.key for feature in given]
    return serialized(given, [dict(zip(keys, row)) for row in zip(*columns)])  # type: ignore[arg-type]


def _column(feature: Feature, value: Any) -> list[np.ndarray] | None:
    """The feature's values in each row, or None if they are of another type."""
    if not _fits(values_of(value).dtype, feature.dtype) or _is_scalar(value):
        return None
    rows = rows_of(value)
    is_padded = feature.any_length and isinstance(value, np.ndarray)
    return [without_padding(row) for row in rows] if is_padded else rows


def _found(one: ServedInput, inputs: Sequence[ServedInput], features: Mapping[str, Any]) -> Any:
    if SERIALIZED in features:
        return None
    if len(features) == 1 and [i for i in inputs if not i.optional] == [one]:
        return next(iter(features.values()))
    return features.get(one.key)


def _raw(one: ServedInput, value: Any) -> Any:
    """`value` in the type and shape of an input, or None if it cannot be."""
    if value is None or not _fits(values_of(value).dtype, one.dtype):
        return None
    if one.is_sparse:
        return _sparse(one, value)
    array = value if isinstance(value, np.ndarray) else dense(rows_of(value))
    if array.ndim == len(one.shape) + 1 and array.shape[-1] == 1:
        array = array[..., 0]
    elif array.ndim + 1 == len(one.shape):
        array = array[..., np.newaxis]
    fits = len(array.shape) == len(one.shape) and all(
        wanted in (None, size) for wanted, size in zip(one.shape, array.shape))
    return array.astype(one.dtype.as_numpy_dtype) if fits else None


def _sparse(one: ServedInput, value: Any) -> Any:
    made = value
    if not isinstance(value, SparseValue):
        rows = rows_of(value)
        made = sparse([without_padding(row) for row in rows] if isinstance(value, np.ndarray) else rows)
    if len(made.dense_shape) != len(one.shape):
        return None
    return SparseValue(made.indices, made.values.astype(one.dtype.as_numpy_dtype), made.dense_shape)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 0


def _fits(given: np.dtype, wanted: tf.DType) -> bool:
    """True if values of type `given` may stand for `wanted`: strings for strings, ints for floats."""
    if wanted == tf.string or given.kind in "OSU":
        return wanted == tf.string and given.kind == "O"
    return np.can_cast(given, wanted.as_numpy_dtype, "same_kind")


def _cut(values: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    return np.split(values, np.cumsum(lengths)[:-1]) if len(lengths) else []
