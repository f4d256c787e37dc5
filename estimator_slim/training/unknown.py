"""Why nothing certain can be said of what training left in a variable."""

from __future__ import annotations

KEEP_FIRST = ("Keep the first checkpoint, model.ckpt-0, beside this one (keep_checkpoint_max), and all "
              "rows are compared with it")


class Unknown(Exception):
    """Raised and caught within this folder; its text is the reason that a person reads."""
