"""Asks servables in a child process, so that nothing they do reaches this one.

A kernel that aborts ends the child: what it had answered is kept, that question gets a refusal of its
own kind, and another child goes on with the next one.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace

from absl import logging

from estimator_slim.errors import VerificationError
from estimator_slim.verify.asking import CRASH, Heard, Job, ask_here, collect, read_told
from estimator_slim.verify.request import Refusal

_CHILDREN = 8  # how many may end so
_START = ("import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
          "from estimator_slim.verify.asking import main; main(*sys.argv[2:])")


def ask(jobs: Sequence[Job], *, seconds: float) -> list[Heard]:
    """What each servable answers.

    Args:
      jobs: asked one after the other; each servable is gone from memory before the next is loaded.
      seconds: that one child may take.

    Raises:
      VerificationError: a child takes longer, or one after the other crashes.
    """
    heard = [Heard() for _ in jobs]
    for _ in range(_CHILDREN):
        todo = [number for number, one in enumerate(heard) if one.step != "done"]
        if not todo:
            return heard
        rest = [replace(jobs[n], requests=jobs[n].requests[len(heard[n].answers):]) for n in todo]
        ended = _run(rest, [heard[n] for n in todo], seconds)
        if not any(one.step for one in heard):
            logging.info("estimator_slim: no process to ask in (%s); asking in this one", ended)
            return ask_here(jobs)
        _blame(heard, ended)
    raise VerificationError(f"{_CHILDREN} processes that asked {jobs[todo[0]].directory} crashed, the "
                            f"last by {ended}; see whether TensorFlow Serving can load it")


def _blame(heard: Sequence[Heard], ended: str) -> None:
    """Makes a refusal of what a servable was at when its process ended."""
    for one in heard:
        if one.step == "load":
            one.refused, one.step = Refusal(CRASH, ended), "done"
        elif one.step == "ask":
            one.answers.append(Refusal(CRASH, ended))
            one.step = "crashed"


def _run(jobs: Sequence[Job], heard: Sequence[Heard], seconds: float) -> str:
    """Lets a child ask; adds what it told to `heard` and returns how it ended."""
    with tempfile.TemporaryDirectory(prefix="estimator_slim-") as folder:
        questions, answers, log = (os.path.join(folder, name) for name in ("asked", "told", "log"))
        with open(questions, "wb") as file:
            pickle.dump(list(jobs), file, protocol=pickle.HIGHEST_PROTOCOL)
        open(answers, "wb").close()
        code = _wait([sys.executable, "-c", _START, json.dumps(sys.path), questions, answers], log,
                     seconds)
        collect(read_told(answers), heard)
        if code is None:
            raise VerificationError(_hanging(jobs, heard, seconds))
        return _ended(code, log)


def _wait(command: list[str], log: str, seconds: float) -> int | None:
    """The exit code of a command, or None where it had to be ended."""
    with open(log, "wb") as file:
        try:
            child = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=file,
                                     stderr=file, start_new_session=True)
        except OSError as error:
            file.write(str(error).encode())
            return 127
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if child.returncode is None:
            child.kill()
            child.wait()


def environment() -> dict[str, str]:
    """Of a child: no GPU, which belongs to the training, and no part in a cluster."""
    inherited = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    return {**inherited, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _hanging(jobs: Sequence[Job], heard: Sequence[Heard], seconds: float) -> str:
    job, one = next((j, h) for j, h in zip(jobs, heard) if h.step != "done")
    at = f"request {len(one.answers) + 1} of {len(job.requests)}" if one.step == "ask" else "loading"
    return f"{job.directory}: at {at} after {seconds:.0f} s of asking; see why it hangs"


def _ended(code: int, log: str) -> str:
    """`SIGABRT: the last lines that it wrote`."""
    with open(log, "rb") as file:
        text = file.read()[-2000:].decode(errors="replace").strip()
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"{name}: {' '.join(text.split())[-300:]}" if text else name
