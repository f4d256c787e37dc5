"""What asking servables promises: answers as a server gives them, and nothing reaches this process."""

from __future__ import annotations

import gc
import os
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import VerificationError
from estimator_slim.verify.answers.asking import CRASH, Heard, Job, ask_here
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.answers.worker import end_worker, environment
from estimator_slim.verify.request import Request
from tests.support.by_hand import servable, v1, variable
from tests.support.processes import run_python
from tests.verify.answers.processes import workers

SECONDS = 300.0
X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)

# Asks argv[1] and a copy of it in argv[2], and prints the most memory it took, above TensorFlow's.
PEAK = """
import sys
import numpy as np
import tensorflow as tf
from estimator_slim.verify.answers.asking import Job, ask_here
from estimator_slim.verify.request import Request

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024

requests = [Request("serving_default", {"ids": np.arange(64)}, "asked")]
ask_here([Job(sys.argv[3], requests)])  # starts TensorFlow's threads
before = peak()
heard = ask_here([Job(path, requests) for path in sys.argv[1:3]])
assert [len(one.answers) for one in heard] == [1, 1], heard
print(peak() - before)
"""


def doubling() -> Any:
    x = v1.placeholder(tf.float32, [None, 2], "x")
    return {"x": x}, {"y": x * variable("two", np.float32(2.0))}


def aborting() -> Any:
    """A signature that answers, and one whose kernel ends the process."""
    x = v1.placeholder(tf.float32, [None, 2], "x")
    with tf.control_dependencies([tf.raw_ops.Abort(error_msg="the kernel gives up")]):
        fatal = tf.identity(x)
    return {"serving_default": ({"x": x}, {"y": x + 1.0}), "fatal": ({"x": x}, {"y": fatal})}


def asked(signature: str = "serving_default", value: Any = X) -> Request:
    return Request(signature, {"x": value}, "asked")


def words_to_ids(folder: Path) -> str:
    """Looks words up in a table of a file that is gone from where it was at training."""
    (folder / "words.txt").write_text("turn\non\n", encoding="utf-8")

    def network() -> Any:
        words = v1.placeholder(tf.string, [None], "words")
        initializer = tf.lookup.TextFileInitializer(
            str(folder / "words.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER)
        return {"words": words}, {"ids": tf.lookup.StaticHashTable(initializer, -1).lookup(words)}

    directory = servable(folder, network)
    (folder / "words.txt").unlink()
    return directory


@pytest.fixture(scope="module", params=[lambda jobs: ask(jobs, seconds=SECONDS), ask_here],
                ids=["child", "here"])
def heard(request: Any, tmp_path_factory: Any) -> list[Heard]:
    """What four servables answered, one after the other: doubling, a broken one, tables, doubling."""
    folder = tmp_path_factory.mktemp("asked")
    first, broken, last = (servable(folder, doubling) for _ in range(3))
    shutil.rmtree(Path(broken) / "variables")
    words = Request("serving_default", {"words": np.array([b"on", b"off", b"turn"], object)}, "asked")
    requests = [asked(), asked(value=X[:0]), asked(value=X[0]), asked("no_such_signature"),
                Request("serving_default", {"no_such_input": X}, "asked")]
    return request.param([Job(first, requests), Job(broken, requests),
                          Job(words_to_ids(folder), [words]), Job(last, requests[:1])])


def test_answers_come_in_the_order_of_the_requests_and_refusals_among_them(heard: list[Heard]) -> None:
    doubled, empty, *refused = heard[0].answers
    np.testing.assert_array_equal(doubled["y"].values, X * 2)
    assert empty["y"].values.shape == (0, 2)
    assert [refusal.error for refusal in refused] == ["ValueError", "KeyError", "KeyError"]


def test_signatures_are_described_by_what_they_promise(heard: list[Heard]) -> None:
    assert heard[0].signatures == {"serving_default": {
        "method": "tensorflow/serving/predict", "input 'x'": "float32 (None, 2)",
        "output 'y'": "float32 (None, 2)"}}


def test_tables_are_initialised_from_the_servables_own_assets(heard: list[Heard]) -> None:
    np.testing.assert_array_equal(heard[2].answers[0]["ids"].values, [1, -1, 0])


def test_a_servable_that_cannot_be_loaded_says_why_and_the_next_ones_are_asked(
        heard: list[Heard]) -> None:
    assert heard[1].answers == []
    assert heard[1].refused is not None
    assert "variables" in heard[1].refused.message
    np.testing.assert_array_equal(heard[3].answers[0]["y"].values, X * 2)


def test_a_kernel_that_aborts_costs_its_own_answer_only(tmp_path: Path) -> None:
    whole, fatal = servable(tmp_path, doubling), servable(tmp_path, aborting)
    requests = [asked(), asked("fatal"), asked(value=X[:1])]
    heard = ask([Job(fatal, requests), Job(whole, requests)], seconds=SECONDS)
    assert heard[0].answers[1].error == CRASH
    assert "SIGABRT" in heard[0].answers[1].message
    assert "the kernel gives up" in heard[0].answers[1].message
    np.testing.assert_array_equal(heard[0].answers[0]["y"].values, X + 1)
    np.testing.assert_array_equal(heard[0].answers[2]["y"].values, X[:1] + 1)
    np.testing.assert_array_equal(heard[1].answers[0]["y"].values, X * 2)


def test_a_child_that_takes_too_long_is_ended_and_said_where_it_was(tmp_path: Path) -> None:
    directory = servable(tmp_path, doubling)
    end_worker()
    with pytest.raises(VerificationError, match=f"{directory}: at loading after 0 s of asking"):
        ask([Job(directory, [asked()])], seconds=0.01)
    assert workers(os.getpid()) == []


def test_asking_here_leaves_the_graph_and_session_of_the_caller(tmp_path: Path) -> None:
    directory = servable(tmp_path, doubling)
    with tf.Graph().as_default() as graph, v1.Session() as session:
        ask_here([Job(directory, [asked()])])
        assert v1.get_default_graph() is graph
        assert v1.get_default_session() is session
        assert graph.get_operations() == []


def test_asking_here_looks_through_nothing_of_the_callers_and_leaves_no_graph_of_its_own(
        tmp_path: Path, monkeypatch: Any) -> None:
    whole, broken = servable(tmp_path, doubling), servable(tmp_path, doubling)
    shutil.rmtree(Path(broken) / "variables")
    graphs: list[Any] = []
    init = tf.Graph.__init__

    def noted(graph: Any) -> None:
        init(graph)
        graphs.append(weakref.ref(graph))
    monkeypatch.setattr(tf.Graph, "__init__", noted)
    mine = tf.Graph()
    mine.itself, there = mine, weakref.ref(mine)
    gc.unfreeze()
    gc.disable()
    try:
        del mine
        ask_here([Job(whole, [asked()]), Job(broken, [asked()])])
        assert [graph() for graph in graphs] == [there()] + [None] * (len(graphs) - 1)
        assert there() is not None
        assert gc.get_freeze_count() == 0
    finally:
        gc.enable()


def test_a_child_has_no_gpu_and_no_part_in_the_trainers_cluster(monkeypatch: Any) -> None:
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"chief": ["host:1"]}}')
    monkeypatch.setenv("KEPT", "yes")
    inherited = environment()
    assert "TF_CONFIG" not in inherited
    assert inherited["CUDA_VISIBLE_DEVICES"] == "-1"
    assert inherited["KEPT"] == "yes"


def test_two_servables_take_the_memory_of_one(tmp_path: Path) -> None:
    size = 200_000 * 128 * 4  # 102 MB
    large = servable(tmp_path, lambda: rows_of([200_000, 128]))
    small = servable(tmp_path, lambda: rows_of([100, 128]))
    copied = shutil.copytree(large, tmp_path / "copy")
    done = run_python("-c", PEAK, large, copied, small, check=True)
    assert 0.9 * size < int(done.stdout) < 1.6 * size


def rows_of(shape: list[int]) -> Any:
    ids = v1.placeholder(tf.int64, [None], "ids")
    table = v1.get_variable("table", shape, initializer=v1.random_normal_initializer())
    return {"ids": ids}, {"rows": tf.gather(table, ids)}
