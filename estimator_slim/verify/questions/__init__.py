"""What both servables are asked."""

from estimator_slim.verify.questions.cases import EDGES, EXTREME, asks, is_made_up
from estimator_slim.verify.questions.input_fn import as_called_by
from estimator_slim.verify.questions.served_inputs import ServedInput, signature_inputs
from estimator_slim.verify.questions.sources import questions_for

__all__ = [
    "EDGES",
    "EXTREME",
    "ServedInput",
    "as_called_by",
    "asks",
    "is_made_up",
    "questions_for",
    "signature_inputs",
]
