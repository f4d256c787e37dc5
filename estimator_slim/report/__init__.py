"""What was done and found, as plain data, and the views of it."""

from estimator_slim.report.record import Report, Step, Tried
from estimator_slim.report.text import verification_text
from estimator_slim.report.treatment import Treatment
from estimator_slim.report.verification import Failure, OutputResult, Part, Verification

__all__ = [
    "Failure",
    "OutputResult",
    "Part",
    "Report",
    "Step",
    "Treatment",
    "Tried",
    "Verification",
    "verification_text",
]
