"""Messages as the command gives them: an argument of Python's is named as the flag that it is.

    give verify='off'             →  give --slim_verify=off
    wait longer, patience=120     →  wait longer, --slim_patience=120
    give tags=['gpu', 'serve']    →  give --tags=gpu,serve
"""

from __future__ import annotations

import re

from estimator_slim.options import OPTIONS

_NAMES = [name for name, one in OPTIONS.items() if one.flag is not None]
_LIBRARYS = re.compile(rf"(?<![\w-])({'|'.join(_NAMES)})=(?:'([^']*)'|(\d+))")
_CHECKPOINT = re.compile(r"(?<![\w-])checkpoint='([^']*)'")
_TAGS = re.compile(r"(?<![\w-])tags=\[([^]]*)\]")


def as_flags(message: str) -> str:
    """The message, with flags in the place of arguments."""
    message = _LIBRARYS.sub(lambda m: f"--slim_{m[1]}={m[3] or _quoted(m[2])}", message)
    message = _CHECKPOINT.sub(lambda m: f"--checkpoint={_quoted(m[1])}", message)
    return _TAGS.sub(lambda m: f"--tags={m[1].replace(', ', ',')}".replace("'", ""), message)


def _quoted(value: str) -> str:
    """As a shell takes it."""
    return f"'{value}'" if re.search(r"[\s();]", value) else value
