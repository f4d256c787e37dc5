"""What all tests share: servables, what they answer and their slim twins, each made once a run."""

from __future__ import annotations

import functools
import hashlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from absl import flags
from absl import logging as absl_logging

from tests.support import warm
from tests.support.once import Once
from tests.support.processes import PYTHON, keep_what_is_imported

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # also for the processes that tests start
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a shell starts in the background,
    signal.signal(signal.SIGINT, signal.default_int_handler)  # and so in all that tests would start

Exported = Callable[[str], str]
WITHOUT = {"slim_verify": "off", "slim_fallback": False}

# What is told in seconds, and first of all, while one works; with three models in round_trip_test.py.
QUICK = ("doors_test.py", "readme_test.py", "mutants", "quantization", "transforms/text_test.py",
         "transforms/base_test.py", "verify/comparison/comparison_test.py",
         "verify/comparison/rounding_test.py", "graph/consumers_test.py", "graph/operations_test.py",
         "saved_model/publish_test.py", "hostile/graph_test.py", "hostile/values_test.py",
         "optimize_error_test.py")


def pytest_sessionstart() -> None:
    """Lets whatever starts Python, pytest-xdist first, start the one of tests/support/warm.py."""
    if sys.executable == PYTHON:  # else this is a process of pytest-xdist
        warm.use(warm.start())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of QUICK."""
    folder = Path(__file__).parent
    for item in items:
        if any(item.path.is_relative_to(folder / name) for name in QUICK):
            item.add_marker("quick")


def pytest_collection_finish() -> None:
    keep_what_is_imported()


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup() -> None:
    _keep_the_environment()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call() -> None:
    _keep_the_environment()


def _keep_the_environment() -> None:
    """Takes the name of the test out of it: verification starts a process for each environment."""
    os.environ.pop("PYTEST_CURRENT_TEST", None)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_verified() -> Iterator[None]:
    """Tests that are not about verification, or the ladder, do without; others ask for it by name."""
    import estimator_slim  # noqa: F401  defines the flags

    _set(WITHOUT)
    yield
    _set({name: flags.FLAGS[name].default for name in WITHOUT})


@pytest.fixture(scope="session", autouse=True)
def graphs_are_imported_once() -> None:
    """Many graphs are kept, not the last alone: tests read the same ones again."""
    from estimator_slim.graph import importing
    importing._kept = functools.lru_cache(128)(importing._kept.__wrapped__)


@pytest.fixture(autouse=True)
def flags_and_logs_are_as_before() -> Iterator[None]:
    """A test that runs the command in its own process leaves nothing of it to the others."""
    verbosity, logger = absl_logging.get_verbosity(), absl_logging.get_absl_logger()
    level, propagate, handlers = logger.level, logger.propagate, list(logger.handlers)
    yield
    if flags.FLAGS.is_parsed():
        flags.FLAGS.unparse_flags()
        _set(WITHOUT)
    absl_logging.set_verbosity(verbosity)
    logger.setLevel(level)
    logger.propagate, logger.handlers = propagate, handlers


def _set(values: dict[str, Any]) -> None:
    for name, value in values.items():
        flags.FLAGS[name].value = value


@pytest.fixture(scope="session")
def once(tmp_path_factory: Any) -> Once:
    """`once(name, make)`: what is made once for all processes of this run."""
    folder = tmp_path_factory.getbasetemp()
    return Once((folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "once")


@pytest.fixture(scope="session")
def exported(once: Once) -> Exported:
    """`exported(name)`: the SavedModel of the zoo's model of that name. It is not to be changed."""
    def path(name: str) -> str:
        from tests.support.models import MODELS
        return once(f"exported/{name}", lambda folder: MODELS[name].build(str(folder)))
    return path


@pytest.fixture(scope="session")
def trained(once: Once) -> str:
    """The servable of tests/support/training.py. It is not to be changed."""
    def make(folder: Path) -> str:
        from tests.support import training
        return training.export(folder)
    return once("trained", make)


@pytest.fixture(scope="session")
def trained_with_extras(once: Once) -> str:
    """The same with two files in assets.extra/."""
    def make(folder: Path) -> str:
        from tests.support import training
        (folder / "extra").write_bytes(b"\0extra\xff")
        return training.export(folder, assets_extra={
            name: str(folder / "extra") for name in ("tf_serving_warmup_requests", "notes/of/mine.txt")})
    return once("trained_with_extras", make)


@pytest.fixture(scope="session")
def answers(once: Once, exported: Exported) -> Callable[[str], dict]:
    """`answers(name)`: what that model answers to its requests, without the graph optimizer."""
    def of(name: str) -> dict:
        from tests.support.ask import ask
        from tests.support.models import MODELS
        return once(f"answers/{name}", lambda _: ask(
            exported(name), MODELS[name].requests, optimizer=False))
    return of


@pytest.fixture(scope="session")
def slim(once: Once, exported: Exported) -> Callable[[str, str], str]:
    """`slim(name, transforms)`: the slim twin of that model by that list. It is not to be changed."""
    def path(name: str, transforms: str) -> str:
        from estimator_slim import optimize_saved_model

        def make(folder: Path) -> str:
            optimize_saved_model(exported(name), folder / "1", transforms, verify="off", report="off")
            return str(folder / "1")
        return once(f"slim/{name}/{hashlib.sha256(transforms.encode()).hexdigest()[:16]}", make)
    return path


@pytest.fixture
def cold() -> Iterator[None]:
    """In this test, Python is started as it was installed, with nothing imported."""
    before = sys.executable
    warm.use(PYTHON)
    yield
    warm.use(before)
