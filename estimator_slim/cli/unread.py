"""What is printed where nobody reads it any longer, as behind `| head -1`, is lost; the work goes on.

Otherwise a line about the next step would end a command in the middle of its work, and whoever started
it could not tell by its exit code.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import IO, Any, cast


@contextlib.contextmanager
def unread_is_lost() -> Iterator[None]:
    """Has the block print to a stdout and a stderr that may be closed at their other end."""
    with contextlib.redirect_stdout(_lossy(sys.stdout)), contextlib.redirect_stderr(_lossy(sys.stderr)):
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def _lossy(stream: IO[str]) -> IO[str]:
    return cast(IO[str], _Lossy(stream))


class _Lossy:
    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._unless_closed():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._unless_closed():
            self._stream.flush()

    def close(self) -> None:
        """Leaves the stream open, which is not ours: absl's log closes what it has written to."""
        self.flush()

    @contextlib.contextmanager
    def _unless_closed(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
