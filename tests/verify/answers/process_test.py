"""What the process that asks promises: it ends with this one, and costs no more than its answers."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import DestinationError, optimize_saved_model
from estimator_slim.verify.answers.asking import Heard, Job
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.answers.worker import end_worker
from estimator_slim.verify.request import Request
from tests.support.by_hand import servable, v1
from tests.support.processes import ROOT
from tests.verify.answers.processes import is_running, started, wait_for, workers

X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)

# Asks argv[1] in a child, for ever.
ASKING = """
import sys
from estimator_slim.verify.answers.asking import Job
from estimator_slim.verify.answers.child import ask

ask([Job(sys.argv[1], [])], seconds=600)
"""


# Asks argv[1] in a child, once.
ONCE = """
from estimator_slim.verify.answers.asking import Job
from estimator_slim.verify.answers.child import ask
print(ask([Job(sys.argv[1], [])], seconds=600)[0].step)
"""


def adding() -> Any:
    x = v1.placeholder(tf.float32, [None, 2], "x")
    return {"x": x}, {"y": x + 1.0}


def aborting() -> Any:
    x = v1.placeholder(tf.float32, [None, 2], "x")
    with tf.control_dependencies([tf.raw_ops.Abort(error_msg="the kernel gives up")]):
        return {"x": x}, {"y": tf.identity(x)}


def multiplying() -> Any:
    """Answers two rows with 8 MB."""
    x = v1.placeholder(tf.float32, [None, 2], "x")
    return {"x": x}, {"y": tf.tile(x, [1, 500_000])}


def endless() -> Any:
    return v1.while_loop(lambda n: n >= 0, lambda n: n * 1, [tf.constant(1)]).op


def asked(directory: str) -> Heard:
    (heard,) = ask([Job(directory, [Request("serving_default", {"x": X}, "asked")])], seconds=300)
    return heard


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: Any) -> Path:
    """The folder for temporary files, of this process and its children."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.mark.parametrize("how", [pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGKILL])
def test_a_training_that_is_killed_takes_the_process_that_asks_with_it_and_its_folder_is_cleared_next(
        tmp_path: Path, temporary: Path, how: signal.Signals) -> None:
    hanging = servable(tmp_path, adding, main_op=endless)
    with started(ASKING, hanging) as (training, process):
        asking = wait_for(lambda: workers(process) if told(temporary) else [])
        os.kill(process, how)
        assert training.wait() == -how
        wait_for(lambda: not any(map(is_running, asking)))
    assert len(os.listdir(temporary)) == 1
    np.testing.assert_array_equal(asked(servable(tmp_path, adding)).answers[0]["y"].values, X + 1)
    assert os.listdir(temporary) == []


def test_the_process_that_asks_is_the_first_to_go_and_what_it_is_asked_is_for_no_other_user_to_read(
        tmp_path: Path, temporary: Path, cold: None) -> None:
    end_worker()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asked, servable(tmp_path, adding, main_op=endless))
        (process,) = wait_for(lambda: workers(os.getpid()) if told(temporary) else [])
        try:
            (folder,) = temporary.iterdir()
            assert folder.stat().st_mode & 0o777 == 0o700
            assert Path(f"/proc/{process}/oom_score_adj").read_text() == "1000\n"
        finally:
            os.kill(process, signal.SIGKILL)


@pytest.mark.long
def test_a_crash_is_told_by_its_cause_alone(tmp_path: Path, cold: None, monkeypatch: Any) -> None:
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    (crash,) = asked(servable(tmp_path, aborting)).answers
    assert re.fullmatch(r"SIGABRT: [-0-9 :.]+ F tensorflow/\S+\] [^\]]+; the kernel gives up",
                        crash.message)


@pytest.mark.parametrize("executable", [None, "", "/no/such/python"])
def test_without_a_python_to_start_the_answers_come_from_this_process(
        tmp_path: Path, monkeypatch: Any, caplog: Any, executable: Any) -> None:
    directory = servable(tmp_path, adding)
    monkeypatch.setattr(sys, "executable", executable)
    np.testing.assert_array_equal(asked(directory).answers[0]["y"].values, X + 1)
    (warning,) = [r.getMessage() for r in caplog.records
                  if r.name == "absl" and r.levelname == "WARNING"]  # TensorFlow warns, too
    why = "No such file or directory" if executable else "names no Python"
    assert re.search(rf"no process to ask in \(.*{why}.*\); asking in this one", warning)


def test_entries_of_sys_path_that_python_ignores_are_ignored(
        tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path, None])
    np.testing.assert_array_equal(asked(servable(tmp_path, adding)).answers[0]["y"].values, X + 1)
    assert "asking in this one" not in caplog.text


@pytest.mark.parametrize("isolated", [pytest.param(True, marks=pytest.mark.long), False])
def test_nothing_of_the_current_folder_is_run_that_this_process_would_not_run(
        tmp_path: Path, isolated: bool, cold: None) -> None:
    directory = servable(tmp_path, adding)
    current = tmp_path / "current"
    current.mkdir()
    for module in ("json", "threading", "pickle", "numpy", "estimator_slim", "sitecustomize"):
        (current / f"{module}.py").write_text(f"open('{tmp_path}/run', 'a').write('{module} ')\n")
    (tmp_path / "training.py").write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{ONCE}")
    done = subprocess.run(
        [sys.executable, *(["-I"] if isolated else []), str(tmp_path / "training.py"), directory],
        cwd=current, env={**os.environ, "PYTHONPATH": str(current) if isolated else ""}, text=True,
        capture_output=True, check=True)
    assert done.stdout == "done\n"
    assert "asking in this one" not in done.stderr
    assert not (tmp_path / "run").exists()


# ---- no room for temporary files


def test_a_temporary_folder_that_is_gone_is_named_and_what_to_do(
        tmp_path: Path, temporary: Path) -> None:
    directory = servable(tmp_path, adding)
    temporary.rmdir()
    with pytest.raises(DestinationError, match=no_room(temporary, "No such file or directory")):
        optimize_saved_model(directory, tmp_path / "slim/1", "", verify="enforce")
    assert not temporary.exists()
    assert not (tmp_path / "slim").exists()


@pytest.mark.parametrize("room, network, why", [
    (100, adding, "File too large"), (1 << 20, multiplying, "cannot write answers")],
    ids=["questions", "answers"])
def test_where_questions_or_answers_find_no_room_the_folder_is_named_and_what_to_do(
        tmp_path: Path, temporary: Path, room: int, network: Any, why: str) -> None:
    directory = servable(tmp_path, network)
    with limited(room), pytest.raises(DestinationError, match=no_room(temporary, why)):
        asked(directory)
    assert os.listdir(temporary) == []


def no_room(folder: Path, why: str) -> str:
    return rf"^{folder} cannot be written \(.*{why}.*\); .*Free space .*TMPDIR .*verify='off'"


@contextlib.contextmanager
def limited(size: int) -> Iterator[None]:
    """No file of this process and of those that it starts now may grow over `size` bytes."""
    end_worker()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def told(temporary: Path) -> bool:
    """Whether the process that asks is there, and tells."""
    return any(path.stat().st_size for path in temporary.glob("*/told"))
