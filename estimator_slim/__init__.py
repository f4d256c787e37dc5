"""Every export of a TensorFlow Estimator gets a small, fast servable beside it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from estimator_slim import options
from estimator_slim.errors import (
    DestinationError,
    EstimatorSlimError,
    OptionError,
    RecordError,
    RequirementError,
    SourceError,
    TransformError,
    VerificationError,
)
from estimator_slim.report import Report, Verification, load_report
from estimator_slim.version import VERSION as __version__
from estimator_slim.version import require_tensorflow

if TYPE_CHECKING:
    from estimator_slim.estimating import Estimate, TableEstimate, estimate
    from estimator_slim.exporter import OptimizingExporter
    from estimator_slim.fleet import Summary, optimize_saved_models
    from estimator_slim.optimize import optimize_saved_model

__all__ = ["DestinationError", "Estimate", "EstimatorSlimError", "OptimizingExporter", "OptionError",
           "RecordError", "Report", "RequirementError", "SourceError", "Summary", "TableEstimate",
           "TransformError", "Verification", "VerificationError", "__version__", "estimate",
           "load_report", "optimize_saved_model", "optimize_saved_models", "options"]

flags = options  # its name before

_WITH_TENSORFLOW = {"Estimate": "estimator_slim.estimating",
                    "TableEstimate": "estimator_slim.estimating",
                    "estimate": "estimator_slim.estimating",
                    "OptimizingExporter": "estimator_slim.exporter",
                    "Summary": "estimator_slim.fleet",
                    "optimize_saved_model": "estimator_slim.optimize",
                    "optimize_saved_models": "estimator_slim.fleet"}


def __getattr__(name: str) -> Any:
    """Loads TensorFlow, which takes seconds, when a name that needs it is asked for."""
    if name not in _WITH_TENSORFLOW:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require_tensorflow()
    return getattr(importlib.import_module(_WITH_TENSORFLOW[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_WITH_TENSORFLOW})
