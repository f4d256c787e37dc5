"""Whether a slim servable answers as its original does."""

from estimator_slim.verify.answers import end_worker
from estimator_slim.verify.gate import Original, judge
from estimator_slim.verify.questions import Drawn, as_called_by, questions_for, trained_requests
from estimator_slim.verify.request import Request
from estimator_slim.verify.warm_up import write_warm_up

__all__ = [
    "Drawn",
    "Original",
    "Request",
    "as_called_by",
    "end_worker",
    "judge",
    "questions_for",
    "trained_requests",
    "write_warm_up",
]
