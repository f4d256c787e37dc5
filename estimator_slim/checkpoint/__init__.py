"""TensorFlow's V2 checkpoint format, read and written in slices; it knows nothing of SavedModels."""

from estimator_slim.checkpoint.reader import CheckpointReader, stored_weight
from estimator_slim.checkpoint.writer import CheckpointWriter

__all__ = [
    "CheckpointReader",
    "CheckpointWriter",
    "stored_weight",
]
