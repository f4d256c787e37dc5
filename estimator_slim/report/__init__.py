"""What was done and found, as plain data, and the views of it."""

from estimator_slim.report.document import SCHEMA, from_json, load_report, to_json
from estimator_slim.report.found import records_in
from estimator_slim.report.left_alone import left_alone_text
from estimator_slim.report.outputs import OutputResult, Part, accuracies
from estimator_slim.report.page import can_be_made as pages_can_be_made
from estimator_slim.report.page import overview_of, page_of
from estimator_slim.report.record import FAILED, PUBLISHED, REFUSED, Chosen, Problem, Report
from estimator_slim.report.steps import Phase, Step, Tried, phase, verdict
from estimator_slim.report.text import verification_text
from estimator_slim.report.treatment import Treatment
from estimator_slim.report.verification import Asked, Failure, Verification

__all__ = [
    "Asked",
    "Chosen",
    "FAILED",
    "Failure",
    "OutputResult",
    "PUBLISHED",
    "Part",
    "Phase",
    "Problem",
    "REFUSED",
    "Report",
    "SCHEMA",
    "Step",
    "Treatment",
    "Tried",
    "Verification",
    "accuracies",
    "from_json",
    "left_alone_text",
    "load_report",
    "overview_of",
    "page_of",
    "pages_can_be_made",
    "phase",
    "records_in",
    "to_json",
    "verdict",
    "verification_text",
]
