"""Values of features → serialized tf.Examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from estimator_slim.verify.questions.parsing_spec import Feature


def serialized(features: Sequence[Feature], rows: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """One serialized tf.Example for each row.

    Args:
      features: what the Examples may hold.
      rows: feature key → its values in that row, of any shape; a missing key is a missing feature.

    Returns:
      bytes, object [rows].
    """
    result = np.empty(len(rows), object)
    for number, row in enumerate(rows):
        example = tf.train.Example()
        for feature in features:
            if feature.key in row:
                _add(example.features.feature[feature.key], feature.dtype, row[feature.key])
        result[number] = example.SerializeToString(deterministic=True)
    return result


def _add(proto: tf.train.Feature, dtype: tf.DType, values: np.ndarray) -> None:
    if dtype == tf.string:
        proto.bytes_list.value.extend(np.ravel(values).tolist())
    elif dtype.is_floating:
        proto.float_list.value.extend(np.ravel(values).astype(np.float32).tolist())
    else:
        proto.int64_list.value.extend(np.ravel(values).astype(np.int64).tolist())
