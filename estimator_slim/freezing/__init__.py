"""Variables become weights: nothing that could be trained is left in the graph."""

from estimator_slim.freezing.handles import Handles
from estimator_slim.freezing.restored import ASSIGN_OPS, saved_variables
from estimator_slim.freezing.variables import TrainingOf, freeze

__all__ = [
    "ASSIGN_OPS",
    "Handles",
    "TrainingOf",
    "freeze",
    "saved_variables",
]
