"""Where a slim servable goes, next to the original that it is made from."""

from __future__ import annotations

import os


def slim_directory(source: str, suffix: str) -> str:
    """`export/best/1700000000` → `export/best-slim/1700000000`."""
    parent, version = os.path.split(source if "://" in source else os.path.abspath(source))
    return os.path.join(parent + suffix, version)
