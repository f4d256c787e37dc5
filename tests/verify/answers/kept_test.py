"""What is kept of large answers: the same of both servables, little enough, and enough to see errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Verification
from estimator_slim.transforms.bounds import LOSSLESS
from estimator_slim.verify.answers.asking import Heard, Job, ask_here
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.answers.thinning import Share, shares, thin, thinned_like
from estimator_slim.verify.comparison.judging import compare
from estimator_slim.verify.request import Basis, Request
from tests.support.by_hand import servable, v1
from tests.support.processes import run_python

WORDS = 20_000
SMALL, LARGE = np.ones((1, 2), np.float32), np.tile(np.arange(2, dtype=np.float32), (64, 1))

# Compares 65 answers of a million values, and prints the most memory it took.
COMPARING = """
import numpy as np
from estimator_slim.verify.answers.asking import Heard
from estimator_slim.transforms import LOSSLESS
from estimator_slim.verify.answers.thinning import shares, thin
from estimator_slim.verify.comparison.judging import compare
from estimator_slim.verify.request import Request

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024

scores = np.random.default_rng(1).normal(size=(50, 20_000)).astype(np.float32)
requests = [Request("serve", {}, "asked")] * 65
before = peak()
heard = [Heard({"serve": {}}, [thin({"s": values}, share) for share in shares(requests)])
         for values in (scores, scores * np.float32(1 + 1e-6))]
assert compare(requests, *heard, LOSSLESS).passed
print(peak() - before)
"""


def right(x: Any, scores: Any) -> Any:
    return scores


def scoring(wrong: Callable[[Any, Any], Any] = right) -> Callable[[], Any]:
    """Scores of 20,000 words, `wrong` in some way."""
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        directions = np.random.default_rng(2).normal(size=(2, WORDS)).astype(np.float32)
        scores = wrong(x, tf.matmul(x, tf.constant(directions)))
        return {"x": x}, {"scores": scores, "best": tf.argmax(scores, axis=1)}
    return network


def found(folder: Path, wrong: Callable[[Any, Any], Any], *asked: np.ndarray) -> Verification:
    requests = [Request("serving_default", {"x": x}, f"{len(x)} rows") for x in asked]
    heard = ask_here([Job(servable(folder, scoring(wrong)), requests) for wrong in (right, wrong)])
    return compare(requests, *heard, LOSSLESS)


@pytest.mark.parametrize("sizes", [(1, 64), (64, 1), (64, 64, 64, 64), (0, 400)], ids=str)
def test_answers_of_every_size_are_compared(tmp_path: Path, sizes: tuple) -> None:
    asked = [np.resize(LARGE + 1, (rows, 2)) for rows in sizes]
    twin = found(tmp_path, right, *asked)
    assert twin.failures == ()
    assert {o.output for o in twin.outputs} == {"best", "scores"}
    assert not found(tmp_path, lambda x, scores: -scores, *asked).passed


@pytest.mark.parametrize("asked", [(SMALL, LARGE), (LARGE, SMALL)], ids=["large last", "large first"])
def test_the_shape_of_a_large_answer_is_compared_whole(tmp_path: Path, asked: tuple) -> None:
    failures = found(tmp_path, lambda x, s: tf.cond(tf.shape(x)[0] > 1, lambda: s[:-1], lambda: s),
                     *asked, *[LARGE] * 20).failures
    assert {failure.output for failure in failures} == {"best", "scores"}
    assert "is float32 [63, 20000] instead of float32 [64, 20000]" in "".join(map(str, failures))


def test_an_output_that_is_not_in_every_answer_is_compared_where_it_is() -> None:
    requests = [Request("serve", {}, str(number)) for number in range(3)]
    answers = [{"a": SMALL}, {"a": SMALL, "b": SMALL}, {"b": SMALL}]
    first, same = ([thin(answer, Share()) for answer in answers] for _ in range(2))
    wrong = [*first[:2], thin({"b": -SMALL}, Share())]
    heard = [Heard({"serve": {}}, told) for told in (first, same, wrong)]
    assert compare(requests, *heard[:2], LOSSLESS).passed
    (failure,) = compare(requests, heard[0], heard[2], LOSSLESS).failures
    assert failure.output == "b"


def test_an_error_in_the_last_rows_of_a_large_answer_is_seen_and_its_row_is_named(
        tmp_path: Path) -> None:
    asked = np.random.default_rng(3).normal(size=(400, 2)).astype(np.float32)
    failure = found(tmp_path, lambda x, s: tf.concat([s[:-4], -s[-4:]], axis=0), asked).failures[0]
    row = int(failure.sentence.partition(", row ")[2].partition(":")[0])
    assert row >= 396
    assert str(asked[row].tolist()) in failure.sentence


def test_labels_go_with_the_rows_that_are_kept() -> None:
    scores = np.zeros((1000, WORDS), np.float32)
    scores[np.arange(1000), np.arange(1000)] = 1
    request = Request("serve", {}, "asked", labels=np.where(np.arange(1000) < 500, np.arange(1000), -1))
    heard = Heard({"serve": {}}, [thin({"scores": scores}, Share())])
    (output,) = compare([request], heard, heard, LOSSLESS).outputs
    assert output.rows < 250
    assert 0.45 < output.accuracy < 0.55


@pytest.mark.parametrize("shape", [(64, 1_000), (1, 300_000), (3, 40, 5_000), (1, 5_000_000),
                                   (2_000_000,), (5_000_000, 1), (500_000, 0)], ids=str)
@pytest.mark.parametrize("count", [1, 19, 79])
def test_all_answers_together_are_a_few_million_values(shape: tuple, count: int) -> None:
    value = np.zeros(shape, np.int8)
    told = [thin({"out": value}, share)["out"] for share in shares([Request("s", {}, "asked")] * count)]
    assert {output.shape for output in told} == {shape}
    total = sum(output.values.size for output in told)
    assert min(value.size * count, 3_000_000) <= total <= 5_000_000
    assert told[0].values.size > 0 or not value.size


def test_outputs_of_one_batch_keep_the_same_rows() -> None:
    ids = np.arange(500)
    told = thin({"scores": np.tile(ids[:, None], (1, WORDS)), "ids": ids, "other": ids[:3]}, Share(1, 4))
    np.testing.assert_array_equal(told["scores"].values[:, 0], told["ids"].values)
    np.testing.assert_array_equal(told["scores"].rows(), told["ids"].values)
    assert len(told["ids"].values) < 100
    assert len(told["other"].values) == 3


def crashing(crashes: bool) -> Callable[[], Any]:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        with tf.control_dependencies([tf.raw_ops.Abort(error_msg="no")] if crashes else []):
            fatal = tf.identity(x)
        return {"a": ({"x": x}, {"many": tf.tile(x, [1, WORDS])}), "b": ({"x": x}, {"out": fatal})}
    return network


def test_a_whole_answer_is_compared_with_one_of_which_less_is_kept() -> None:
    """A servable that is asked each question once for every weight keeps less of each answer."""
    scores = np.arange(500 * 3000, dtype=np.float32).reshape(500, 3000)
    outputs = {"best": np.arange(500), "count": np.float32(3), "scores": scores}
    bases = {"best": [Basis("ArgMax", np.arange(500), scores, (), True)]}
    whole, few = (thin(outputs, Share(0, count), bases) for count in (1, 20))
    assert len(whole["scores"].values) == 500 > len(few["scores"].values)
    alike = thinned_like(whole, few)
    assert isinstance(alike, dict)
    for key, output in few.items():
        np.testing.assert_array_equal(alike[key].values, output.values)
        assert alike[key].shape == output.shape
    (want,), (got,) = few["best"].bases, alike["best"].bases
    assert want is not None and got is not None
    np.testing.assert_array_equal(got.floats, want.floats)
    assert thinned_like(few, thin(outputs, Share(0, 50), bases)) is None


def test_what_is_kept_is_the_same_after_a_crash(tmp_path: Path) -> None:
    requests = [Request(key, {"x": LARGE}, "asked") for key in ("a", "a", "b", "a", "a")]
    crashed, whole = (ask([Job(servable(tmp_path, crashing(crashes)), requests)], seconds=300)[0]
                      for crashes in (True, False))
    for number in (0, 1, 3, 4):
        np.testing.assert_array_equal(crashed.answers[number]["many"].values,
                                      whole.answers[number]["many"].values)
        assert len(whole.answers[number]["many"].values) < len(LARGE)


def test_a_servable_keeps_no_more_than_its_share(tmp_path: Path) -> None:
    requests = [Request("serving_default", {"x": LARGE}, "asked")] * 8
    (heard,) = ask_here([Job(servable(tmp_path, scoring()), requests)])
    sizes = [answer["scores"].values.size for answer in heard.answers]
    assert max(sizes) < 64 * WORDS / 2
    assert {answer["scores"].shape for answer in heard.answers} == {(64, WORDS)}


def test_comparing_many_large_answers_takes_some_hundred_megabytes() -> None:
    done = run_python("-c", COMPARING, check=True)
    assert int(done.stdout) < 400e6
