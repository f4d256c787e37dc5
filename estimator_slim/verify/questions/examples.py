"""tf.Examples and SequenceExamples of the values of their features, and whether strings are some."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from estimator_slim.verify.questions.parsers import CONTEXT, LISTS, Feature


def serialized(features: Sequence[Feature], rows: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """One serialized tf.Example, or SequenceExample, for each row.

    Args:
      features: what the Examples may hold.
      rows: feature key → its values in that row, of any shape; a missing key is a missing feature.

    Returns:
      bytes, object [rows].
    """
    result = np.empty(len(rows), object)
    is_sequence = any(feature.place for feature in features)
    for number, row in enumerate(rows):
        example = tf.train.SequenceExample() if is_sequence else tf.train.Example()
        for feature in features:
            if feature.key in row:
                _put(example, feature, row[feature.key])
        result[number] = example.SerializeToString(deterministic=True)
    return result


def are_examples(values: np.ndarray, keys: set[str]) -> bool:
    """True for strings that are tf.Examples with a feature of these keys."""
    if values.dtype.kind != "O":
        return False
    with contextlib.suppress(DecodeError):
        return any(keys & set(tf.train.Example.FromString(one).features.feature)
                   for one in np.ravel(values))
    return False


def _put(example: Any, feature: Feature, values: np.ndarray) -> None:
    """Adds the values of one feature to a tf.Example or a SequenceExample."""
    if feature.place == LISTS:
        steps = example.feature_lists.feature_list[feature.key].feature
        for start in range(0, values.size, feature.step):
            _add(steps.add(), feature.dtype, np.ravel(values)[start:start + feature.step])
    else:
        within = example.context if feature.place == CONTEXT else example.features
        _add(within.feature[feature.key], feature.dtype, values)


def _add(proto: tf.train.Feature, dtype: tf.DType, values: np.ndarray) -> None:
    if dtype == tf.string:
        proto.bytes_list.value.extend(np.ravel(values).tolist())
    elif dtype.is_floating:
        proto.float_list.value.extend(np.ravel(values).astype(np.float32).tolist())
    else:
        proto.int64_list.value.extend(np.ravel(values).astype(np.int64).tolist())
