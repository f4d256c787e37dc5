"""The features of a batch, as an input_fn gives them → what a signature's inputs take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.verify.questions.examples import serialized
from estimator_slim.verify.questions.parsing_spec import Feature
from estimator_slim.verify.questions.rows import (
    SparseValue,
    dense,
    rows_of,
    sparse,
    values_of,
    without_padding,
)
from estimator_slim.verify.questions.served_inputs import ServedInput


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


def _whole(inputs: Sequence[ServedInput], features: Mapping[str, Any]) -> dict[str, Any]:
    """What to feed for the batch as a whole, {} if it does not fit."""
    result = {}
    for one in inputs:
        value = (_examples(one.features, features) if one.features else
                 _raw(one, _found(one, inputs, features)))
        if value is not None:
            result[one.key] = value
        elif not one.optional:
            return {}
    return result


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
