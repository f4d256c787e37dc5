"""Why nothing certain can be said of what training left in a variable."""

from __future__ import annotations


class Unknown(Exception):
    """Raised and caught within this folder; its text is the reason that a person reads."""
