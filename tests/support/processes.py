"""Python in a process of its own, which finds the package and the tests wherever it is started."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]  # of the repository
PYTHON = sys.executable  # as it was installed; what starts Python starts one that is warm, see warm.py


def environment(**more: str) -> dict[str, str]:
    """This process' environment; Python imports from the repository, TensorFlow is silent."""
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT), **more}


def keep_what_is_imported() -> None:
    """Spares the garbage collector from looking through all of TensorFlow again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run_python(*arguments: Any, **options: Any) -> subprocess.CompletedProcess:
    """`python ARGUMENTS`, with what it prints; in the repository's root, as a person would start it."""
    return subprocess.run([sys.executable, *map(str, arguments)], text=True, capture_output=True,
                          **{"check": False, "cwd": ROOT, "env": environment(), **options})


def answered(module: str, question: Any) -> Any:
    """What a module of the tests makes of a pickle on its stdin, from its stdout."""
    done = subprocess.run([sys.executable, "-m", module], input=pickle.dumps(question),
                          stdout=subprocess.PIPE, check=True, cwd=ROOT, env=environment())
    return pickle.loads(done.stdout)
