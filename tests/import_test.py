"""Importing is quick: TensorFlow, which takes seconds, is loaded when something has to be done."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import tensorflow as tf

import estimator_slim
from estimator_slim import RequirementError, version
from estimator_slim.cli import _COMMANDS
from estimator_slim.options import OPTIONS
from tests.support.processes import run_python

pytestmark = pytest.mark.usefixtures("cold")

LOADED = "\nimport sys; print({'tensorflow', 'numpy'} & {*sys.modules})"
HELP = """
import sys
from estimator_slim.cli import main
for command in {commands}:
    try:
        code = main([*command, "--help"])
    except SystemExit as e:
        code = e.code
    print("ended:", code or 0, {{'tensorflow', 'numpy'}} & {{*sys.modules}})
"""


def run(program: str) -> subprocess.CompletedProcess:
    return run_python("-c", program)


def test_importing_loads_no_tensorflow() -> None:
    modules = ("", ".options", ".report", ".usage", ".cli", ".errors", ".paths", ".log")
    done = run("".join(f"import estimator_slim{module}{LOADED}\n" for module in modules))
    assert (done.returncode, done.stdout.splitlines()) == (0, ["set()"] * len(modules)), done.stderr


def test_help_loads_no_tensorflow() -> None:
    done = run(HELP.format(commands=[[], *([name] for name in _COMMANDS)]))
    assert done.returncode == 0, done.stderr
    ended = [line for line in done.stdout.splitlines() if line.startswith("ended: ")]
    assert ended == ["ended: 0 set()"] * (1 + len(_COMMANDS))


def test_a_record_is_read_without_tensorflow() -> None:
    document = Path(__file__).parent / "report/documents/version_0.json"
    done = run(f"import estimator_slim\nprint(estimator_slim.load_report({str(document)!r})){LOADED}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"


def test_parsing_flags_loads_no_tensorflow_until_a_list_is_given() -> None:
    parsed = "import estimator_slim\nfrom absl import flags\nflags.FLAGS(['program', '--slim_warmup=2'"
    assert run(f"{parsed}]){LOADED}").stdout.strip() == "set()"
    assert "tensorflow" in run(f"{parsed}, '--slim_transforms=remove_device']){LOADED}").stdout


def test_the_flags_are_there_after_the_import_alone() -> None:
    done = run("import estimator_slim\nfrom absl import flags\nprint(flags.FLAGS['slim_suffix'].value)")
    assert done.stdout.strip() == "-slim", done.stderr


def test_the_help_of_a_program_lists_them(tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text("import estimator_slim\nfrom absl import app\napp.run(lambda argv: None)\n")
    flags = re.findall(r"^ +--(?:\[no\])?slim_(\w+)", run_python(program, "--help").stdout, re.MULTILINE)
    assert {*flags} == {name for name, one in OPTIONS.items() if one.flag is not None}


def test_every_public_name_is_there_and_is_listed() -> None:
    done = run("import estimator_slim\nprint(*dir(estimator_slim))")
    assert {*estimator_slim.__all__} <= {*done.stdout.split()}
    everything: dict = {}
    exec("from estimator_slim import *", everything)
    assert {*estimator_slim.__all__} <= {*everything}


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'estimator_slim' has no attribute 'optimise'"):
        estimator_slim.optimise  # noqa: B018


def test_without_tensorflow_the_error_says_what_to_install() -> None:
    done = run("import sys\nsys.modules['tensorflow'] = None\nimport estimator_slim\n"
               "try:\n    estimator_slim.optimize_saved_model\n"
               "except estimator_slim.RequirementError as e:\n    print(e)")
    assert "needs TensorFlow 2.12 to 2.15" in done.stdout, done.stderr
    assert "pip install 'estimator-slim[tensorflow]'" in done.stdout


def test_a_tensorflow_that_does_not_fit_is_named_with_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "LAST", (2, 11))
    with pytest.raises(RequirementError, match=f"this Python has {tf.__version__}: pip install"):
        estimator_slim.estimate  # noqa: B018
