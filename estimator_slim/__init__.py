"""Every export of a TensorFlow Estimator gets a small, fast servable beside it."""

from estimator_slim import options
from estimator_slim.errors import (
    DestinationError,
    EstimatorSlimError,
    OptionError,
    SourceError,
    TransformError,
    VerificationError,
)
from estimator_slim.exporter import OptimizingExporter
from estimator_slim.optimize import optimize_saved_model
from estimator_slim.report import Report, Verification

__all__ = ["DestinationError", "EstimatorSlimError", "OptimizingExporter", "OptionError", "Report",
           "SourceError", "TransformError", "Verification", "VerificationError",
           "optimize_saved_model", "options"]
