"""What keeping the process that asks promises: it is there once, and as good as a new one."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import sys
import tempfile
import termios
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.verify import end_worker
from estimator_slim.verify.answers import worker
from estimator_slim.verify.answers.asking import CRASH, Heard, Job, read_told
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.request import Request
from tests.support.by_hand import servable, v1
from tests.verify.answers.processes import is_running, started, wait_for, workers

X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)

# Asks argv[1], says that it did, and goes on.
TRAINING = """
import sys, time
from estimator_slim.verify.answers.asking import Job
from estimator_slim.verify.answers.child import ask

assert ask([Job(sys.argv[1], [])], seconds=600)[0].step == "done"
print("asked", flush=True)
time.sleep(600)
"""

# Forks while a thread asks argv[1], and goes on; the forked process asks argv[2] when it is told to.
FORKING = """
import os, sys, threading, time
from estimator_slim.verify.answers import worker
from estimator_slim.verify.answers.asking import Job
from estimator_slim.verify.answers.child import ask

def asked(directory):
    return ask([Job(directory, [])], seconds=600)[0].step

threading.Thread(target=asked, args=sys.argv[1:2], daemon=True).start()
while not worker._kept:
    time.sleep(0.01)
forked = os.fork()
if not forked:
    print(os.getpid(), flush=True)
    input()
    print(asked(sys.argv[2]), flush=True)
time.sleep(600)
"""


def adding() -> Any:
    x = v1.placeholder(tf.float32, [None, 2], "x")
    return {"x": x}, {"y": x + 1.0}


def endless() -> Any:
    return v1.while_loop(lambda n: n >= 0, lambda n: n * 1, [tf.constant(1)]).op


def printing() -> Any:
    """Prints to stdout, as much as a pipe does not hold."""
    x = v1.placeholder(tf.float32, [None, 2], "x")
    printed = [tf.print("printed " * 10_000, output_stream=sys.stdout) for _ in range(3)]
    with tf.control_dependencies(printed):
        return {"x": x}, {"y": x + 1.0}


def failing() -> Any:
    """A signature that answers, one whose kernel ends the process, one that does not end."""
    x = v1.placeholder(tf.float32, [None, 2], "x")
    with tf.control_dependencies([tf.raw_ops.Abort(error_msg="the kernel gives up")]):
        fatal = tf.identity(x)
    endless = v1.while_loop(lambda n: n >= 0, lambda n: n * 1, [tf.size(x)])
    return {"serving_default": ({"x": x}, {"y": x + 1.0}), "fatal": ({"x": x}, {"y": fatal}),
            "endless": ({"x": x}, {"y": endless})}


def rows(count: int) -> Any:
    """A table of so many MB."""
    x = v1.placeholder(tf.float32, [None, 2], "x")
    table = v1.get_variable("table", [count * 1000, 250], initializer=v1.random_normal_initializer())
    return {"x": x}, {"y": x + 1.0, "rows": tf.gather(table, tf.cast(x, tf.int32))}


def heard(directory: str, *signatures: str) -> Heard:
    requests = [Request(key, {"x": X}, "asked") for key in signatures or ["serving_default"]]
    return ask([Job(directory, requests)], seconds=300)[0]


def worker_after(directory: str) -> int:
    """The one process that asks, once this servable has answered."""
    np.testing.assert_array_equal(heard(directory).answers[0]["y"].values, X + 1)
    (process,) = workers(os.getpid())
    return process


@pytest.fixture(autouse=True)
def none_before() -> None:
    end_worker()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: Any) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def is_asked(temporary: Path, number: int) -> bool:
    """Whether the process that asks is at that question, counted from 1, or behind it."""
    told = [step for path in temporary.glob("*/told") for _, step, _ in read_told(str(path))]
    return told.count("ask") >= number


# ---- there once, and no longer than it is needed


def test_one_process_asks_again_and_again_until_it_is_ended(tmp_path: Path) -> None:
    first, second = servable(tmp_path, adding), servable(tmp_path, adding)
    assert worker_after(first) == worker_after(second) == worker_after(first)
    end_worker()
    assert workers(os.getpid()) == []
    assert worker_after(first)


def test_none_is_started_where_nothing_is_asked() -> None:
    assert ask([], seconds=300) == []
    assert workers(os.getpid()) == []


def test_threads_that_ask_at_once_share_it_and_each_gets_its_own_answers(tmp_path: Path) -> None:
    directory, seen = servable(tmp_path, adding), set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            seen.update(workers(os.getpid()))

    def asked(number: int) -> Any:
        request = Request("serving_default", {"x": X * number}, "asked")
        return ask([Job(directory, [request])], seconds=300)[0].answers[0]["y"].values

    with ThreadPoolExecutor(5) as pool:
        pool.submit(watch)
        answers = list(pool.map(asked, range(4)))
        done.set()
    for number, answer in enumerate(answers):
        np.testing.assert_array_equal(answer, X * number + 1)
    assert len(seen) == 1


def test_it_ends_when_nothing_is_asked_for_long_and_another_goes_on(
        tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(worker, "IDLE", 1.0)
    directory = servable(tmp_path, adding)
    first = worker_after(directory)
    wait_for(lambda: not is_running(first))
    assert worker_after(directory) != first


@pytest.mark.long
def test_it_ends_with_a_training_that_is_killed_between_two_exports(tmp_path: Path) -> None:
    with started(TRAINING, servable(tmp_path, adding)) as (training, process):
        assert training.stdout.readline() == "asked\n"
        (asked_by,) = workers(process)
        training.kill()
        wait_for(lambda: not is_running(asked_by))


def test_it_ends_with_a_training_that_ends(tmp_path: Path) -> None:
    program = TRAINING.replace("time.sleep(600)", "input()")
    with started(program, servable(tmp_path, adding)) as (training, process):
        assert training.stdout.readline() == "asked\n"
        (asked_by,) = workers(process)
        training.communicate("\n")
        assert training.returncode == 0
        assert not is_running(asked_by)


def test_a_forked_process_keeps_none_of_its_parent_alive_and_asks_by_one_of_its_own(
        tmp_path: Path) -> None:
    hanging, whole = servable(tmp_path, adding, main_op=endless), servable(tmp_path, adding)
    with started(FORKING, hanging, whole) as (training, process):
        forked = int(training.stdout.readline())
        try:
            (of_training,) = workers(process)
            training.kill()
            wait_for(lambda: not is_running(of_training))
            training.stdin.write("\n")
            training.stdin.flush()
            (of_forked,) = wait_for(lambda: workers(forked))
            assert training.stdout.readline() == "done\n"
        finally:
            os.kill(forked, signal.SIGKILL)
        wait_for(lambda: not is_running(of_forked))


# ---- replaced by another where it is gone, or no longer what a new one would be


def test_one_that_is_killed_between_two_questions_costs_nothing(tmp_path: Path, caplog: Any) -> None:
    directory = servable(tmp_path, adding)
    first = worker_after(directory)
    os.kill(first, signal.SIGKILL)
    assert worker_after(directory) != first
    assert "asking in this one" not in caplog.text


@pytest.mark.long
def test_one_that_dies_before_it_begins_costs_nothing(
        tmp_path: Path, cold: None, caplog: Any) -> None:
    directory = servable(tmp_path, adding)
    first = worker_after(directory)
    os.kill(first, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(worker_after, directory)
        wait_for(lambda: unread_bytes(first))
        os.kill(first, signal.SIGKILL)
        assert second.result() != first
    assert "asking in this one" not in caplog.text


def test_one_that_is_killed_while_it_asks_costs_one_question(tmp_path: Path, temporary: Path) -> None:
    directory = servable(tmp_path, failing)
    first = worker_after(directory)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(heard, directory, "serving_default", "endless", "serving_default")
        wait_for(lambda: is_asked(temporary, 2))
        os.kill(first, signal.SIGKILL)
        before, killed, after = future.result().answers
    assert (killed.error, killed.message) == (CRASH, "SIGKILL")
    for answer in (before, after):
        np.testing.assert_array_equal(answer["y"].values, X + 1)
    assert worker_after(directory) != first


def test_the_one_after_a_crash_is_kept(tmp_path: Path) -> None:
    directory = servable(tmp_path, failing)
    first = worker_after(directory)
    _, crash, _ = heard(directory, "serving_default", "fatal", "serving_default").answers
    assert crash.error == CRASH
    (second,) = workers(os.getpid())
    assert worker_after(directory) == second != first


def test_what_servables_print_is_the_cause_of_their_own_crash_alone(tmp_path: Path, capfd: Any) -> None:
    directory = servable(tmp_path, printing)
    assert worker_after(directory) == worker_after(directory)
    (crash,) = heard(servable(tmp_path, failing), "fatal").answers
    assert "SIGABRT" in crash.message
    assert "the kernel gives up" in crash.message
    assert "printed" not in crash.message
    assert "printed" not in "".join(capfd.readouterr())


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    directory = servable(tmp_path, failing)
    first = worker_after(directory)
    with pytest.raises(Exception, match="(loading|request 1 of 1) after 2 s"):
        ask([Job(directory, [Request("endless", {"x": X}, "asked")])], seconds=2)
    assert not is_running(first)
    assert worker_after(directory)


def test_what_is_interrupted_is_not_heard_by_who_asks_next(tmp_path: Path, temporary: Path) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(*_: Any) -> None:
        raise Interrupted

    directory = servable(tmp_path, failing)
    first = worker_after(directory)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with ThreadPoolExecutor(1) as pool, pytest.raises(Interrupted):
            pool.submit(lambda: (wait_for(lambda: is_asked(temporary, 1)),
                                 os.kill(os.getpid(), signal.SIGALRM)))
            heard(directory, "endless")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not is_running(first)
    assert worker_after(directory)


def test_one_that_grew_is_not_kept(tmp_path: Path, monkeypatch: Any) -> None:
    directory = servable(tmp_path, adding)
    first = worker_after(directory)
    monkeypatch.setattr(worker, "GROWTH", 1 << 20)  # less than the first request ever takes
    np.testing.assert_array_equal(heard(directory).answers[0]["y"].values, X + 1)
    assert not is_running(first)
    assert workers(os.getpid()) == []


@pytest.mark.parametrize("change", [
    lambda patch, folder: patch.syspath_prepend(folder),
    lambda patch, folder: patch.setattr(sys, "executable", link(folder / "python")),
    lambda patch, folder: patch.setenv("SOME_LIBRARY", str(folder))],
    ids=["sys.path", "python", "environment"])
def test_what_would_be_started_otherwise_is_started_anew_and_then_kept(
        tmp_path: Path, monkeypatch: Any, change: Any) -> None:
    directory = servable(tmp_path, adding)
    first = worker_after(directory)
    change(monkeypatch, tmp_path)
    second = worker_after(directory)
    assert second != first
    assert worker_after(directory) == second


def test_a_path_is_found_from_the_folder_that_is_the_current_one_now(
        tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    directory = Path(servable(tmp_path, adding))
    monkeypatch.chdir(directory.parent)
    assert worker_after(directory.name)
    monkeypatch.chdir(directory.parents[1])
    assert worker_after(f"{directory.parent.name}/{directory.name}")
    assert "asking in this one" not in caplog.text


def unread_bytes(process: int) -> int:
    """Of what was written to its stdin."""
    with open(f"/proc/{process}/fd/0", "rb", buffering=0) as stdin:
        return struct.unpack("i", fcntl.ioctl(stdin, termios.FIONREAD, bytes(4)))[0]


def link(path: Path) -> str:
    path.symlink_to(sys.executable)
    return str(path)


# ---- what a servable leaves behind


def test_memory_does_not_grow_by_what_was_asked(tmp_path: Path) -> None:
    small, large = servable(tmp_path, adding), servable(tmp_path, lambda: rows(20))
    process = worker_after(large)
    before = resident_bytes(process)
    for _ in range(15):
        assert worker_after(large) == process
    assert resident_bytes(process) - before < 5e6
    assert worker_after(small) == process
    assert worker_after(servable(tmp_path, lambda: rows(100))) == process
    assert resident_bytes(process) - before < 10e6


def resident_bytes(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
