"""What the command promises in a shell: help that helps, and every error in one line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import estimator_slim
from estimator_slim.cli import _COMMANDS, exit_codes, main
from tests.support.by_hand import servable, v1, variable
from tests.support.processes import ROOT, environment, run_python

MODULE = ["-m", "estimator_slim"]


def noisy() -> dict[str, str]:
    """An environment in which TensorFlow writes all that it writes by itself."""
    return {name: value for name, value in environment().items() if name != "TF_CPP_MIN_LOG_LEVEL"}


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


def test_help_shows_the_commands_and_what_the_exit_codes_mean(command: list[str]) -> None:
    done = run_python(*command, "--help")
    assert done.returncode == exit_codes.DONE
    assert done.stderr == ""
    for name, one in _COMMANDS.items():
        assert re.search(f"^ +{name} +{one.HELP[:20]}", done.stdout, re.MULTILINE)
    assert exit_codes.table() in done.stdout


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_a_help_of_its_own(name: str) -> None:
    done = run_python(*MODULE, name, "--help")
    assert done.returncode == exit_codes.DONE
    assert done.stdout.startswith(f"usage: estimator-slim {name} {_COMMANDS[name].TAKES}")
    flags = re.findall(r"^ +--slim_(\w+)", done.stdout, re.MULTILINE)
    assert flags == [*_COMMANDS[name].OPTIONS]
    assert exit_codes.table() in done.stdout


def test_the_version_is_the_packages(command: list[str]) -> None:
    done = run_python(*command, "--version")
    assert (done.returncode, done.stdout) == (0, f"estimator-slim {estimator_slim.__version__}\n")


def test_without_a_command_the_help_is_shown(command: list[str]) -> None:
    done = run_python(*command)
    assert done.returncode == exit_codes.WRONG_CALL
    assert done.stdout == ""
    assert done.stderr == run_python(*command, "--help").stdout


@pytest.mark.parametrize("arguments, wrong", [
    (["optimise", "SRC"], "there is no command 'optimise'; did you mean optimize?; see "
     "estimator-slim --help"),
    (["optimize"], "the following arguments are required: SRC; see estimator-slim optimize --help"),
    (["optimize", "a", "b", "c"], "expected SRC and DST, got 3 folders; give --out=DIR, or --jobs=N, "
     "where each is a source"),
    (["optimize", "a", "b", "--out=c", "--checkpoint=d"], "checkpoint: expected an option of "
     "optimize_saved_model for many servables; that is for one alone"),
    (["compare", "a"], "the following arguments are required: SLIM; see estimator-slim compare --help"),
    (["optimize", "a", "--slim_transform=b"], "--slim_transform=b is not known; did you mean "
     "--slim_transforms?; see estimator-slim optimize --help"),
    (["compare", "a", "b", "--slim_warmup=2"], "compare takes no --slim_warmup; see estimator-slim "
     "compare --help"),
    (["optimize", "a", "--slim_bits=few"], "argument --slim_bits: invalid int value: 'few'; see "
     "estimator-slim optimize --help"),
    (["optimize", "SRC", "--slim_bits=5"], "--slim_bits=5: expected 4, 8 or 16, got 5"),
    (["optimize", "SRC", "--slim_bits=4", "--slim_preset=auto"], "--slim_preset and --slim_bits exclude "
     "each other: each says which list of transforms is run; give one of them"),
    (["optimize", "SRC", "--slim_transforms=fold_constnts"], "--slim_transforms=fold_constnts: column "
     "1: unknown transform 'fold_constnts'; did you mean 'fold_constants'?\n  fold_constnts\n  ^"),
], ids=str)
def test_a_wrong_call_is_one_sentence_and_nothing_else(
        original: str, arguments: list, wrong: str) -> None:
    given = [original if one == "SRC" else one for one in arguments]
    done = run_python(*MODULE, *given, env=noisy())
    assert (done.returncode, done.stdout) == (exit_codes.WRONG_CALL, "")
    assert done.stderr == f"estimator-slim: {wrong}\n"


@pytest.mark.parametrize("options", [["--json"], ["--verbosity", "1", "--tags="], ["--slim_what=1"]],
                         ids=str)
def test_options_stand_on_either_side_of_the_command(options: list[str], capsys: Any) -> None:
    ended = []
    for call in ([*options, "inspect", "/no/such"], ["inspect", "/no/such", *options]):
        try:
            code: Any = main(call)
        except SystemExit as e:
            code = e.code
        ended.append((code, capsys.readouterr()))
    assert ended[0] == ended[1]
    assert ("/no/such" in ended[0][1].err) != ("--slim_what=1 is not known" in ended[0][1].err)


def test_booleans_are_written_in_every_way_of_absl(original: str, tmp_path: Path) -> None:
    for off in ("--slim_enabled=false", "--noslim_enabled"):
        done = run_python(*MODULE, "optimize", off, original, str(tmp_path / "slim"))
        assert (done.returncode, done.stderr) == (exit_codes.DONE, "")
        assert not (tmp_path / "slim").exists()


def test_where_a_program_errs_debug_shows_the_place(original: str) -> None:
    arguments = [*MODULE, "compare", original, "s3://bucket/1"]
    assert "Traceback" not in run_python(*arguments).stderr
    assert "Traceback" in run_python(*arguments, "--debug").stderr


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


def test_what_cannot_be_reached_is_one_sentence(original: str, tmp_path: Path) -> None:
    slim = str(tmp_path / "slim")
    for pair in ((original, "s3://bucket/slim/1"), ("hdfs://127.0.0.1:1/best/1", slim)):
        done = run_python(*MODULE, "optimize", *pair, env=noisy())
        (there,) = (one for one in pair if "://" in one)
        assert (done.returncode, done.stdout) == (exit_codes.FAILED, "")
        assert done.stderr == (
            f"estimator-slim: {there}: TensorFlow knows no file system {there.split(':')[0]}:// here; "
            "install tensorflow-io and give --slim_imports=tensorflow_io, or give a path on a disk\n")
    assert not (tmp_path / "slim").exists()


def test_tags_are_told_as_they_are_given(original: str, tmp_path: Path) -> None:
    without = tmp_path / "hub/1"
    shutil.copytree(original, without)
    saved_model = saved_model_pb2.SavedModel.FromString((without / "saved_model.pb").read_bytes())
    del saved_model.meta_graphs[0].meta_info_def.tags[:]
    (without / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    done = run_python(*MODULE, "optimize", without, tmp_path / "slim")
    assert done.returncode == exit_codes.FAILED
    assert done.stderr == (f"estimator-slim: {without} has no MetaGraph tagged ['serve']; give --tags=, "
                           "which it has\n")
    done = run_python(*MODULE, "optimize", without, tmp_path / "slim", "--tags=", "--slim_transforms=")
    assert done.returncode == exit_codes.DONE, done.stderr
    assert (tmp_path / "slim/saved_model.pb").exists()


def test_where_temporary_files_find_no_room_one_line_says_where_and_what_to_do(
        original: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = subprocess.run(["bash", "-c", 'ulimit -f 1 && exec "$@"', "-", sys.executable, *MODULE,
                           "compare", original, original], text=True, capture_output=True, cwd=ROOT)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"estimator-slim: {tmp_path} cannot be written ([Errno 27] File too large); ")
    assert "set TMPDIR to another folder" in last


def test_optimize_tells_what_became_of_the_servable(original: str, tmp_path: Path) -> None:
    done = run_python(*MODULE, "optimize", original, str(tmp_path / "slim/1"), "--slim_transforms=",
                      env=noisy())
    assert (done.returncode, done.stderr) == (exit_codes.DONE, "")
    *steps, verified, sizes, written, record = done.stdout.splitlines()
    assert [line.partition(" s] ")[2] for line in steps] == [
        "reading", "making up questions", "freezing the variables", "transforming", "writing",
        "verifying: asking both servables"]
    assert written == f"written: {tmp_path}/slim/1"
    assert record == f"record: {tmp_path}/slim-report/1.json"
    assert Path(record.partition(" ")[2]).exists()
    assert verified.startswith("verified: 1 signature; ")
    assert re.match(r"\d\.\d kB → \d\.\d kB \(.*\), same answer on ", sizes)


def refusing() -> Any:
    x, bias = v1.placeholder(tf.float32, [None, 2], "x"), variable("bias", np.float32(1.0))
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(tf.equal(x, 1234.5)), [x])]):
        return {"x": x}, {"y": x + bias}


def test_the_exit_code_tells_what_could_hardly_be_verified(tmp_path: Path) -> None:
    original = servable(tmp_path, refusing)
    done = run_python(*MODULE, "optimize", original, tmp_path / "slim/1", "--slim_transforms=")
    assert done.returncode == exit_codes.HARDLY_VERIFIED, done.stderr
    assert done.stderr.startswith(f"estimator-slim: {tmp_path}/slim/1 is not verified: ")
    assert (tmp_path / "slim/1/saved_model.pb").exists()
    required = run_python(*MODULE, "optimize", original, tmp_path / "slim/2", "--slim_transforms=",
                          "--slim_verify=require")
    assert required.returncode == exit_codes.FAILED
    assert not (tmp_path / "slim/2").exists()


def test_compare_tells_programs_the_sizes_and_what_verification_found(original: str) -> None:
    done = run_python(*MODULE, "compare", original, original, "--json")
    assert (done.returncode, done.stderr) == (exit_codes.DONE, "")
    found = json.loads(done.stdout)
    assert found["bytes"][0] == found["bytes"][1] > 0
    assert min(found["memory_bytes"]) > 0
    assert [one["output"] for one in found["verification"]["outputs"]] == ["y"]
    assert found["verification"]["failures"] == []
