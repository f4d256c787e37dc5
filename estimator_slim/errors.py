"""What can go wrong, as types; every message says what, where, what was expected and what to do."""

from __future__ import annotations

from typing import Any


class EstimatorSlimError(Exception):
    """The parent of every error that estimator_slim raises on purpose."""


class SourceError(EstimatorSlimError):
    """The servable to optimize cannot be used: it is no SavedModel, is damaged, or lacks the tag."""


class DestinationError(EstimatorSlimError):
    """The place to write to exists already or cannot be written."""


class OptionError(EstimatorSlimError, ValueError):
    """A flag, an argument or a transform list is wrong; raised before any work is done."""


class TransformError(EstimatorSlimError):
    """A transform failed on this graph; the message names it and the transforms run before it."""


class RecordError(EstimatorSlimError, ValueError):
    """A record of an optimization cannot be read: it is none, is damaged, or newer than its reader."""


class VerificationError(EstimatorSlimError):
    """The slim servable does not answer as the original does, or that could not be found out.

    Attributes:
      report: of the optimization, its `verification` among it; None where it did not come to a result.
    """

    def __init__(self, message: str, report: Any = None) -> None:
        super().__init__(message)
        self.report = report


class RequirementError(EstimatorSlimError, ImportError):
    """A package that the work needs is missing, TensorFlow say, or of a version that does not fit."""
