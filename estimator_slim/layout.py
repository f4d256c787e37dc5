"""Where a slim servable goes, next to the original that it is made from."""

from __future__ import annotations

import os

from estimator_slim.errors import DestinationError


def slim_directory(source: str, suffix: str, root: str | None = None) -> str:
    """Where the slim servable of the version `source` goes.

        export/best/1700000000                →  export/best-slim/1700000000
        export/best/1700000000, root=/served  →  /served/best-slim/1700000000
    """
    parent, version = os.path.split(source if "://" in source else os.path.abspath(source))
    base, name = os.path.split(parent)
    return os.path.join(base if root is None else root, name + suffix, version)


def require_outside(original: str, path: str, what: str) -> None:
    """Refuses to write into an original, by whatever links and spellings. `what`: lies at `path`."""
    if f"{os.path.realpath(path)}/".startswith(f"{os.path.realpath(original)}/"):
        raise DestinationError(f"{path} is inside the original {original}, which is never changed; give "
                               f"{what} outside of it")
