"""A training on several processes: each version has its slim twin at the end, whoever dies meanwhile."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import load_report
from tests.clusters.cluster import Cluster, cluster, wait_until
from tests.support.alike import assert_alike, nearly
from tests.support.ask import ask, ask_fresh
from tests.support.by_hand import request_ops
from tests.support.processes import run_python
from tests.support.training import requests, versions

SERVERS = [("ps", 0), ("ps", 1)]
STEPS = [0, 20, 40, 60]  # of the checkpoints that one chief writes
TASKS = [("chief", 0), ("worker", 0), *SERVERS]
pytestmark = pytest.mark.long
in_both_ways = pytest.mark.parametrize("background", [(), ("--background",)], ids=["", "background"])


def have_twins(model_dir: Path, name: str, requests: Any, **near: Any) -> list[str]:
    """The versions of an exporter, each of which has a slim twin that answers as it does."""
    folder = model_dir / "export" / name
    names = [one for one in versions(folder) if one.isdigit()]  # not what a killed export left
    assert versions(model_dir / f"export/{name}-slim") == names
    for one in names:
        assert load_report(model_dir / f"export/{name}-slim-report/{one}.json").error is None
    answers = ask_fresh({f"{one}{suffix}": (f"{folder}{suffix}/{one}", [requests])
                         for one in names for suffix in ("", "-slim")})
    for one in names:
        assert_alike(answers[f"{one}-slim"], answers[one], **near)
    return names


def step_of(original: Path) -> int:
    """Of the checkpoint that was exported."""
    return int(tf.train.load_variable(str(original / "variables/variables"), "global_step"))


def who_slims(training: Cluster) -> list[str]:
    """The tasks that have logged something of ours."""
    return [task for task in ("chief", "worker", "evaluator")
            if "absl:estimator_slim: " in training.log(task).read_text()]


@in_both_ways
def test_every_version_has_its_twin_though_evaluator_and_chief_are_killed(
        tmp_path: Path, background: tuple[str, ...]) -> None:
    model_dir = tmp_path / "model"
    begun, newest = tmp_path / "never.begun", model_dir / "checkpoint"
    with cluster("partitioned", model_dir, TASKS) as training:
        evaluator = training.start("evaluator", 0, "--never", *background)
        servers = [training.start(*task) for task in SERVERS]
        chief, worker = training.start("chief"), training.start("worker")
        wait_until(begun.exists, "no optimization is begun")
        evaluator.send_signal(signal.SIGKILL)  # in the midst of it
        chief.send_signal(signal.SIGKILL)
        evaluator.wait()
        chief.wait()
        before = newest.stat().st_mtime_ns
        chief = training.start("chief")
        wait_until(lambda: newest.stat().st_mtime_ns > before, "the chief writes no checkpoint")
        evaluator = training.start("evaluator", 0, *background)
        training.wait_for_end(chief, evaluator)
        assert [one.poll() for one in servers] == [None, None], worker.poll()
    for name in ("best", "latest"):
        originals = [one for one in versions(model_dir / "export" / name) if one.isdigit()]
        assert originals[-1] in versions(model_dir / f"export/{name}-slim")
        if background:  # there, newer versions took the place of what waited, and no call came after
            synced = run_python("-m", "estimator_slim", "sync", model_dir, name)
            assert synced.returncode == 0, synced.stdout + synced.stderr
        have_twins(model_dir, name, requests(), atol=0.05, ties=0.1)


@in_both_ways
def test_a_checkpoint_that_is_deleted_while_its_export_is_slimmed_is_there_for_the_next_exporter(
        tmp_path: Path, background: tuple[str, ...]) -> None:
    model_dir = tmp_path / "model"
    with cluster("deleting", model_dir, [("chief", 0), *SERVERS]) as training:
        for task in SERVERS:
            training.start(*task)
        training.wait_for_end(training.start("evaluator", 0, *background), training.start("chief"))
    for name in ("best", "latest"):
        names = have_twins(model_dir, name, requests(), atol=0.05, ties=0.1)
        assert [step_of(model_dir / "export" / name / one) for one in names] == STEPS
        records = [(model_dir / f"export/{name}-slim-report/{one}.json").read_text() for one in names]
        assert all("of its 150 rows were trained" in record for record in records[1:])  # as it was read
    assert {path.stem for path in model_dir.glob("model.ckpt-*.index")} == {f"model.ckpt-{STEPS[-1]}"}
    assert not list(model_dir.glob("temp-*"))


def test_two_mirrored_workers_have_a_twin_of_every_version(tmp_path: Path) -> None:
    model_dir = tmp_path / "model"
    with cluster("mirrored", model_dir, [("chief", 0), ("worker", 0), ("evaluator", 0)]) as training:
        training.wait_for_end(*(training.start(kind) for kind in ("evaluator", "worker", "chief")))
    for task in ("chief", "worker"):
        assert "replicas: 2" in training.log(task).read_text()
    for name in ("best", "latest"):
        names = have_twins(model_dir, name, requests(), atol=0.05, ties=0.1)
        assert [step_of(model_dir / "export" / name / one) for one in names] == STEPS
    assert who_slims(training) == ["evaluator"]


def test_partitions_of_a_table_of_real_text_are_joined_in_each_twin(tmp_path: Path) -> None:
    pytest.importorskip("home_assistant_intents")
    from tests.clusters import intents

    model_dir = tmp_path / "model"
    with cluster("intents", model_dir, TASKS) as training:
        for task in SERVERS:
            training.start(*task)
        evaluator, chief = training.start("evaluator"), training.start("chief")
        training.start("worker")
        training.wait_for_end(chief, evaluator)
    assert who_slims(training) == ["evaluator"]
    sentences = intents.held_out()
    asked = np.array([intents.request(sentence) for sentence, _ in sentences], object)
    for name in ("best", "latest"):
        names = have_twins(model_dir, name, asked, **nearly(0.05))
        for one in names:
            original, slim = (f"{model_dir}/export/{name}{suffix}/{one}" for suffix in ("", "-slim"))
            assert request_ops(original)["ResourceGather"] == 2
            assert request_ops(slim)["ResourceGather"] == 1
        found = ask(slim, [asked])["predict", 0]["classes"][:, 0]
        right = [intent.encode() == one for (_, intent), one in zip(sentences, found)]
        assert np.mean(right) > 0.8
