"""Variables become weights: nothing that could be trained is left in the graph."""

from estimator_slim.freezing.variables import TrainingOf, freeze

__all__ = [
    "TrainingOf",
    "freeze",
]
