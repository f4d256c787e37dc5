"""What a run of the tests makes once for all of its processes: servables, answers, whatever pickles."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Once:
    """`once(name, make)`: what `make(folder)` returned to whichever process asked first.

    The others wait for it. `folder` is empty, and stays as it is for as long as the run lasts.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, Any] = {}

    def __call__(self, name: str, make: Callable[[Path], Any]) -> Any:
        if name not in self._known:
            self._known[name] = self._made(self._root / name, make)
        return self._known[name]

    def _made(self, folder: Path, make: Callable[[Path], Any]) -> Any:
        folder.parent.mkdir(parents=True, exist_ok=True)
        result = folder.with_name(f"{folder.name}.pickle")
        with open(f"{folder}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not result.exists():
                folder.mkdir()
                value = pickle.dumps(make(folder))
                written = result.with_suffix(".writing")
                written.write_bytes(value)
                os.replace(written, result)
        return pickle.loads(result.read_bytes())
