"""What training left behind: which rows of a table it moved, and how much each row counts."""

from estimator_slim.training.left import training_left_in

__all__ = [
    "training_left_in",
]
