"""A tensor of a checkpoint as a weight, read when somebody asks for its rows."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from estimator_slim.graph.weight import Weight
from estimator_slim.saved_model.checkpoint_reader import CheckpointReader
from estimator_slim.saved_model.region import parse_region


def stored_weight(reader: CheckpointReader, key: str, shape_and_slice: str = "") -> Weight:
    """The tensor under `key`, or the part of it that a saver's `shape_and_slice` names."""
    parsed = parse_region(shape_and_slice)
    region = parsed[1] if parsed else None
    entry = reader.entry(key)
    shape = region.lengths if region else entry.shape
    if entry.dtype == tf.string:
        return Weight.of_array(reader.value(key, region), key)

    def read(start: int, stop: int) -> np.ndarray:
        return reader.rows(key, start, stop, region)

    return Weight(entry.dtype, tuple(shape), read, origin=key)
