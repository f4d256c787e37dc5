"""How near the two servables' answers are, and whether that is near enough."""

from estimator_slim.verify.comparison.judging import compare, fixed_outputs

__all__ = [
    "compare",
    "fixed_outputs",
]
