"""Which version a wrapped exporter has exported, by what it returned and by what is new on disk."""

from __future__ import annotations

import os
from typing import Any

from estimator_slim import log
from estimator_slim.errors import OptionError
from estimator_slim.paths import as_text
from estimator_slim.twins import versions_in


def exported_version(result: Any, name: str, export_path: str, before: set[str]) -> str | None:
    """The directory of the version that the exporter `name` has exported; None: it exported nothing.

    Args:
      result: what it returned.
      name: its name, for messages.
      export_path: the folder that it was given.
      before: the versions in it before.

    Raises:
      OptionError: it returned neither a path nor None.
    """
    if result is not None:
        return _as_path(result, name)
    new = sorted(versions_in(export_path) - before, key=int)
    if not new:
        return None
    original = os.path.join(as_text(export_path, "export_path"), new[-1])
    log.warning("estimator_slim: the exporter %r returned None, yet %s is new; it gets its slim "
                "servable all the same. Let the exporter return the path", name, original)
    return original


def _as_path(result: Any, name: str) -> str:
    if not isinstance(result, (str, bytes, os.PathLike)):
        raise OptionError(f"the exporter {name!r} returned a {type(result).__name__}, {result!r:.200}; "
                          "expected the path of the version that it exported, or None. Let it return "
                          "that path; of several versions, the newest")
    return as_text(result, f"what the exporter {name!r} returned")
