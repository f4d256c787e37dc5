"""How near the two servables' answers are, and whether that is near enough."""

from estimator_slim.verify.comparison.changing import changed_by_requests
from estimator_slim.verify.comparison.dropped_rows import Hanging, hanging
from estimator_slim.verify.comparison.excess import times_allowed
from estimator_slim.verify.comparison.judging import compare, fixed_outputs

__all__ = [
    "Hanging",
    "changed_by_requests",
    "compare",
    "hanging",
    "times_allowed",
    "fixed_outputs",
]
