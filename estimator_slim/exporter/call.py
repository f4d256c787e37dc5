"""What an exporter is called with, for a new version and for older ones."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from estimator_slim.events import step_of
from estimator_slim.layout import Layout
from estimator_slim.options import Options
from estimator_slim.twins import checkpoint_of
from estimator_slim.verify import as_called_by


@dataclass(frozen=True)
class Call:
    """One call of `export`.

    Attributes:
      estimator: whose model is exported.
      checkpoint: that is exported.
      step: of training.
      layout: where everything goes.
    """

    estimator: Any
    checkpoint: str | None
    step: int
    layout: Layout

    def of(self, original: str) -> Call:
        """The same for an older version, with its own checkpoint if that is still there."""
        found = checkpoint_of(original, os.path.dirname(self.checkpoint)) if self.checkpoint else None
        return replace(self, checkpoint=found, step=step_of(None, found) if found else self.step)

    def completed(self, options: Options) -> Options:
        """With the checkpoint, and the `verify_input_fn` as this Estimator calls it."""
        asked = options.verify_input_fn
        return replace(options, checkpoint=self.checkpoint, verify_input_fn=(
            None if asked is None else as_called_by(self.estimator, asked)))
