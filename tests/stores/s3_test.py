"""On a real S3 server: no half of a version is loaded, kills lose nothing, each byte comes once."""

from __future__ import annotations

import importlib.util
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.stores import server, steps
from tests.support.by_hand import servable, v1, variable
from tests.support.processes import environment, run_python

MISSING = [name for name in ("moto", "tensorflow_io") if importlib.util.find_spec(name) is None]
pytestmark = [pytest.mark.long,
              pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")]

FILES = {"saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index"}
ROWS, WIDTH = 40_000, 64  # a table of 10 MB


def looking_up() -> Any:
    ids = v1.placeholder(tf.int64, [None], "ids")
    table = variable("table", np.random.RandomState(1).randn(ROWS, WIDTH).astype(np.float32))
    return {"ids": ids}, {"rows": tf.gather(table, ids)}


@pytest.fixture(scope="module")
def original(tmp_path_factory: Any) -> str:
    return servable(tmp_path_factory.mktemp("original"), looking_up)


class Store:
    """A server of S3."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment

    def start(self, *step: Any) -> Any:
        return steps.start(self.environment, *step)

    def run(self, *step: Any) -> Any:
        return steps.result(self.start(*step))

    def requests(self) -> list[list[str]]:
        return [line.split() for line in (self.folder / "requests").read_text().splitlines()]

    def files(self, folder: str) -> set[str]:
        """What is there, as the server's own log of requests tells it."""
        there: set[str] = set()
        for method, path, _, status, _ in self.requests():
            name = path.removeprefix(f"/{server.BUCKET}/{folder}/")
            if name != path and status.startswith("2"):
                (there.add if method == "PUT" else there.discard)(name) if method in (
                    "PUT", "DELETE") else None
        return {name for name in there if not name.endswith("/")}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """`store(lag)`: a new server."""
    import contextlib
    with contextlib.ExitStack() as stack:
        def made(lag: float = 0.0) -> Store:
            return Store(tmp_path, stack.enter_context(server.running(tmp_path, lag)))
        yield made


def test_a_poller_loads_every_version_and_no_load_fails(store: Callable, original: str) -> None:
    there = store()
    poller = there.start("poll", "s3://bucket/slim", 3)
    told = there.run("optimize", original, *(f"s3://bucket/slim/{number}" for number in (1, 2, 3)))
    assert told == ["done"] * 3
    seen = steps.result(poller)
    print(seen)
    assert (seen["loaded"], seen["failed"]) == (["1", "2", "3"], [])
    assert there.files("slim/3") == FILES


def test_a_listing_that_lags_loses_no_file(store: Callable, original: str) -> None:
    there = store(lag=20)
    assert there.run("optimize", original, "s3://bucket/slim/7") == ["done"]
    assert there.files("slim/7") == FILES
    assert "7.json" in there.files("slim-report")


def test_what_a_killed_writer_left_is_taken_up_and_of_two_writers_one_goes_on(
        store: Callable, original: str) -> None:
    there = store()
    victim = there.start("optimize", original, "s3://bucket/slim/7")
    while not there.folder.joinpath("requests").exists() or not there.files("slim/7"):
        assert victim.poll() is None, victim.communicate()
        time.sleep(0.001)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert there.files("slim/7") < FILES
    both = [there.start("optimize", original, "s3://bucket/slim/7") for _ in range(2)]
    told = sorted(line for one in both for line in steps.result(one))
    assert told[1] == "done"
    assert told[0].startswith("DestinationError: s3://bucket/slim/7 ")
    assert there.files("slim/7") == FILES
    assert {path.split("/")[0] for path in there.files("slim")} == {"7"}


def test_each_byte_of_a_table_is_fetched_once_by_each_process(store: Callable, original: str) -> None:
    there = store()
    there.run("copy", original, "s3://bucket/best/7")
    before = len(there.requests())
    assert there.run("verified", "s3://bucket/best/7", "s3://bucket/best-slim/7") == ["done"]
    fetched = [int(size) for method, path, asked, _, size in there.requests()[before:]
               if method == "GET" and "/best/7/variables/variables.data" in path]
    table = ROWS * WIDTH * 4
    print(f"{sum(fetched) / table:.3f} times, {len(fetched)} requests")
    assert table <= sum(fetched) < 2.01 * table  # this process, and the one that asks the original


def test_an_exporter_whose_model_dir_is_in_a_store_writes_and_collects_there(
        store: Callable, tmp_path: Path) -> None:
    files = store().run("train", "s3://bucket/model", tmp_path / "vocabulary")
    [version] = {path.split("/")[1] for path in files if path.startswith("latest/")}
    assert {path for path in files if path.startswith(("latest-slim", "latest-slim-report"))} == {
        f"latest-slim/{version}/{name}" for name in FILES | {"assets/vocabulary.txt"}} | {
        f"latest-slim-report/{version}.{kind}" for kind in ("json", "html")}


def test_the_command_optimizes_all_of_a_store_and_its_exit_code_is_its_own(
        store: Callable, original: str) -> None:
    """tensorflow-io aborts where a process that used its s3:// ends by itself."""
    there = store()
    for model in ("a", "b"):
        there.run("copy", original, f"s3://bucket/models/{model}/export/best/7")
    command = ["-m", "estimator_slim", "optimize", "s3://bucket/models/*/export/best/*", "--jobs=1",
               "--out=s3://bucket/slim", "--slim_imports=tensorflow_io", "--slim_verify=off"]
    for told in ("2 published", "2 unchanged"):
        done = run_python(*command, env=there.environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1].startswith(f"2 of 2 servables done: {told}; ")
    assert {path.split("/")[0] for path in there.files("slim")} == {"a", "b", "summary.json"}


def test_a_store_that_cannot_be_reached_is_one_sentence_after_the_patience_that_was_given(
        tmp_path: Path) -> None:
    done = run_python("-m", "estimator_slim", "optimize", "s3://bucket/best/7", tmp_path / "slim",
                      "--slim_imports=tensorflow_io", "--slim_patience=2",
                      env=environment(**server.reaching("1")))  # where nobody listens
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(
        "estimator-slim: s3://bucket/best/7 did not answer within 2 s; check its name, the network and")
