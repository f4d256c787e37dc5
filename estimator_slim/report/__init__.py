"""What was done and found, as plain data, and the views of it."""

from estimator_slim.report.record import Failure, OutputResult, Report, Step, Tried, Verification
from estimator_slim.report.text import verification_text

__all__ = [
    "Failure",
    "OutputResult",
    "Report",
    "Step",
    "Tried",
    "Verification",
    "verification_text",
]
