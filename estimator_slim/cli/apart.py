"""A measurement in a process of its own, which does nothing else."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from estimator_slim.errors import SourceError

_BEGIN = "import sys; sys.path[:] = {path!r}; from {module} import main; main()"


def measured_apart(job: Any) -> dict[str, float]:
    """What the `main` of the job's module finds, which is given the job.

    Raises:
      SourceError: it ended with an error.
    """
    program = _BEGIN.format(path=sys.path, module=type(job).__module__)
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(job),
                          capture_output=True, check=False)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        what = getattr(job, "directory", None) or getattr(job, "model", "")
        raise SourceError(f"{what} cannot be measured ({last[0]}); see whether it answers: "
                          "estimator-slim compare")
    return dict(json.loads(done.stdout))


def answer(measure: Callable[[Any], dict[str, float]]) -> None:
    """In that process: measures the job on stdin, writes JSON to stdout; TensorFlow writes elsewhere."""
    result = os.dup(1)
    os.dup2(2, 1)
    found = measure(pickle.load(sys.stdin.buffer))
    with os.fdopen(result, "w") as file:
        json.dump(found, file)
