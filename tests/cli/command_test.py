"""What the command promises in a shell: help that helps, and every error in one line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.by_hand import servable, v1, variable
from tests.support.processes import ROOT, run_python

pytestmark = pytest.mark.usefixtures("warm")
COLD = sys.executable
MODULE = ["-m", "estimator_slim.cli"]


def adding() -> Any:
    x = v1.placeholder(tf.float32, [None, 2], "x")
    return {"x": x}, {"y": x + variable("bias", np.float32(1.0))}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: Any) -> list[str]:
    """The command as pip installs it: a script of its own, which calls the entry point."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    module, function = re.findall(r'^estimator-slim = "(.*):(.*)"$', settings, re.MULTILINE)[0]
    script = tmp_path_factory.mktemp("bin") / "estimator-slim"
    script.write_text(f"import sys\nfrom {module} import {function}\n"
                      f"if __name__ == '__main__':\n    sys.exit({function}())\n", encoding="utf-8")
    return [str(script)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: Any) -> str:
    return servable(tmp_path_factory.mktemp("cli"), adding)


@pytest.fixture(params=["module", "installed"])
def command(request: Any, installed: list[str]) -> list[str]:
    return MODULE if request.param == "module" else installed


def test_help_shows_the_commands_and_their_flags_and_no_others(command: list[str]) -> None:
    done = run_python(*command, "--help")
    assert done.returncode == 1  # as every program of absl
    assert "estimator-slim optimize SRC [DST]" in done.stdout
    assert "estimator-slim compare ORIGINAL SLIM" in done.stdout
    flags = re.findall(r"^ +--(?:\[no\])?(\w+)", done.stdout, re.MULTILINE)
    assert "slim_transforms" in flags
    assert {flag for flag in flags if not flag.startswith("slim_")} == {"tags", "checkpoint"}


def test_without_a_command_the_usage_is_shown(command: list[str]) -> None:
    done = run_python(*command)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "estimator-slim optimize SRC [DST]" in done.stderr


@pytest.mark.parametrize("arguments, wrong", [
    (["optimise", "SRC"], r"argument COMMAND: invalid choice: 'optimise' \(choose from .*optimize.*\)"),
    (["optimize"], "the following arguments are required: SRC"),
    (["optimize", "a", "b", "c"], "unrecognized arguments: c"),
    (["compare", "a"], "the following arguments are required: SLIM")], ids=str)
def test_what_is_wrong_with_a_command_stands_before_the_usage(arguments: list, wrong: str) -> None:
    done = run_python(*MODULE, *arguments)
    assert done.returncode == 2
    assert re.match(f"estimator-slim: {wrong}\n\nusage: estimator-slim optimize", done.stderr)


def test_switched_off_it_says_so_and_succeeds(original: str, tmp_path: Path) -> None:
    done = run_python(*MODULE, "optimize", original, str(tmp_path / "slim"), "--slim_enabled=false")
    assert done.returncode == 0
    assert f"off (--slim_enabled=false); nothing is written for {original}" in done.stdout
    assert not (tmp_path / "slim").exists()


def test_folders_that_tensorflow_takes_for_patterns_are_not_compared(
        original: str, tmp_path: Path) -> None:
    named = str(shutil.copytree(original, tmp_path / "best[1]"))
    for pair in ((original, named), (named, original)):
        done = run_python(*MODULE, "compare", *pair)
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"estimator-slim: {named}: TensorFlow takes [...]")


@pytest.mark.parametrize("slim", [lambda original: str(Path(original).parent), lambda _: "/no/such"],
                         ids=["the folder of versions", "missing"])
def test_what_is_no_savedmodel_is_not_compared(original: str, slim: Callable[[str], str]) -> None:
    for pair in ((original, slim(original)), (slim(original), original)):
        done = run_python(*MODULE, "compare", *pair)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.splitlines()[-1] == (
            f"estimator-slim: {slim(original)} is no SavedModel: expected saved_model.pb or "
            "saved_model.pbtxt in it; give the folder of one exported version")


def test_where_temporary_files_find_no_room_one_line_says_where_and_what_to_do(
        original: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = subprocess.run(["bash", "-c", 'ulimit -f 1 && exec "$@"', "-", COLD, *MODULE, "compare",
                           original, original], text=True, capture_output=True, cwd=ROOT)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"estimator-slim: {tmp_path} cannot be written ([Errno 27] File too large); ")
    assert "set TMPDIR to another folder" in last


def test_optimize_tells_what_became_of_the_servable(original: str, tmp_path: Path) -> None:
    done = run_python(*MODULE, "optimize", original, str(tmp_path / "slim/1"), "--slim_transforms=")
    assert done.returncode == 0, done.stderr
    verified, sizes = done.stdout.splitlines()
    assert verified.startswith("verified: 1 signature; ")
    assert re.match(r"\d\.\d kB → \d\.\d kB \(.*\), same answer on ", sizes)
