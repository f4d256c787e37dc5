"""Variables become weights: nothing that could be trained is left in the graph."""

from estimator_slim.freezing.variables import freeze

__all__ = [
    "freeze",
]
