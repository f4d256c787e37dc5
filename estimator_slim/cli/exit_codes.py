"""What the command tells the program that started it: the one table of exit codes."""

from __future__ import annotations

DONE, FAILED, WRONG_CALL, HARDLY_VERIFIED, INTERRUPTED = 0, 1, 2, 3, 130

MEANINGS = {
    DONE: "done",
    FAILED: "failed or refused; nothing was written. `compare`: they do not answer alike. "
            "`optimize` of many: not all are done. `sync`: slim servables are still missing",
    WRONG_CALL: "a wrong call: a command, an option or a value that does not exist; nothing was done",
    HARDLY_VERIFIED: "done, but some of it could not be verified, as the warnings say",
    INTERRUPTED: "interrupted; nothing was written. `optimize` of many: what was done before stays",
}


def table() -> str:
    """The codes as lines of a help text."""
    return "\n".join(["exit codes:", *(f"  {code:<5}{meaning}" for code, meaning in MEANINGS.items())])
