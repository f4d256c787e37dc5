"""What both servables are asked."""

from estimator_slim.verify.questions.cases import EDGES, EXTREME, MILD, TYPICAL, asks, is_made_up
from estimator_slim.verify.questions.hashed import Trained
from estimator_slim.verify.questions.input_fn import Drawn, as_called_by
from estimator_slim.verify.questions.made_up import MadeUp, trained_requests
from estimator_slim.verify.questions.parsers import Feature
from estimator_slim.verify.questions.served_inputs import ServedInput, signature_inputs
from estimator_slim.verify.questions.sources import questions_for
from estimator_slim.verify.questions.ways import Way, narrowed, with_features

__all__ = [
    "Drawn",
    "EDGES",
    "EXTREME",
    "Feature",
    "MILD",
    "MadeUp",
    "ServedInput",
    "TYPICAL",
    "Trained",
    "Way",
    "as_called_by",
    "asks",
    "is_made_up",
    "narrowed",
    "questions_for",
    "signature_inputs",
    "trained_requests",
    "with_features",
]
