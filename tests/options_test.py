"""The options: flags in programs that call absl.app.run, arguments in code, and one table for both."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver
from tensorflow.python.saved_model import loader_impl

import estimator_slim
from estimator_slim.choosing import resolve
from estimator_slim.options import DEFAULT, EXPORTER, FUNCTION, OPTIONS, Option
from estimator_slim.transforms import transform_list
from tests.faults.exporting import Prepared
from tests.support import by_hand
from tests.support.by_hand import v1, variable
from tests.support.once import Once
from tests.support.processes import environment, run_python
from tests.support.training import LOSSLESS, versions

# Optimizes argv[1] and prints what ran; {arguments}: keyword arguments given in code.
PROGRAM = """
import sys
from absl import app
import estimator_slim

def main(argv):
    report = estimator_slim.optimize_saved_model(argv[1], {arguments})
    print([step.transform for step in report.steps] if report else report)

app.run(main)
"""

# Exports as an Estimator does after an evaluation, by an exporter that copies argv[1].
EXPORT = """
import os, shutil, sys
import tensorflow as tf
from absl import app
import estimator_slim
from estimator_slim.transforms.base import Transform

class Failing(Transform):
    text_name = "failing"
    def rewrite(self, graph):
        raise RuntimeError("the fuse is lit")

class Copying(tf.estimator.Exporter):
    name = "copying"
    def export(self, estimator, export_path, *rest, **by_name):
        return shutil.copytree(sys.argv[1], os.path.join(export_path, "1700000001"))

def main(argv):
    exporter = estimator_slim.OptimizingExporter(Copying(), [Failing()])
    exporter.export(estimator=None, export_path=argv[2], checkpoint_path="", eval_result={},
                    is_the_final_export=False)
    print("went on")

app.run(main)
"""

# Is started once with each flag of argv[2:], after one import, and writes to files in argv[1].
STARTED_WITH_EACH = """
import os, sys
from absl import app
import estimator_slim

def main(argv):
    print("main was called")

for number, flag in enumerate(sys.argv[2:]):
    if os.fork() == 0:
        file = os.open(os.path.join(sys.argv[1], str(number)), os.O_CREAT | os.O_WRONLY)
        os.dup2(file, 1)
        os.dup2(file, 2)
        app.run(main, [sys.argv[0], flag])
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""

NOTEBOOK = """
import sys
import estimator_slim
report = estimator_slim.optimize_saved_model(sys.argv[1])
print([step.transform for step in report.steps])
print(report.destination)
print(report.verification.passed, len(report.verification.outputs) > 0)
"""


@pytest.fixture
def servable(tmp_path: Path, trained: str) -> str:
    """A servable, alone in a folder named `best`."""
    (tmp_path / "best").mkdir()
    (tmp_path / "best/1700000001").symlink_to(trained, target_is_directory=True)
    return str(tmp_path / "best/1700000001")


def run(program: str, *arguments: str, code: str = "") -> subprocess.CompletedProcess:
    return run_python("-c", program.replace("{arguments}", code), *arguments)


def test_transforms_weights_and_suffix_change_what_is_done_and_where(
        servable: str, tmp_path: Path) -> None:
    done = run(PROGRAM, servable, "--slim_verify=off", "--slim_suffix=_small",
               "--slim_weights=variables",
               "--slim_transforms=strip_unused_nodes fold_constants(ignore_errors=true) "
               "quantize_weights(minimum_size=7)")
    assert (done.returncode, done.stdout.strip()) == (0, str(
        ["strip_unused_nodes", "fold_constants(ignore_errors=true)",
         "quantize_weights(minimum_size=7)"])), done.stderr
    assert versions(tmp_path) == ["best", "best_small", "best_small-report"]
    assert versions(tmp_path / "best_small") == ["1700000001"]
    assert "variables.index" in versions(tmp_path / "best_small/1700000001/variables")


def test_noslim_enabled_writes_nothing(servable: str, tmp_path: Path) -> None:
    done = run(PROGRAM, servable, "--noslim_enabled")
    assert (done.returncode, done.stdout.strip()) == (0, "None"), done.stderr
    assert versions(tmp_path) == ["best"]


def test_slim_on_error_keep_original_holds_for_optimize_saved_model_when_given(
        tmp_path: Path) -> None:
    done = run(PROGRAM, str(tmp_path / "missing"), "--slim_on_error=keep_original")
    assert (done.returncode, done.stdout.strip()) == (0, "None"), done.stderr
    assert "missing is not there" in done.stderr


@pytest.mark.parametrize("flag, code, printed", [
    ("--slim_on_error=keep_original", 0, "went on"), ("--slim_on_error=raise", 1, "")])
def test_slim_on_error_decides_whether_a_failed_export_ends_the_program(
        servable: str, tmp_path: Path, flag: str, code: int, printed: str) -> None:
    done = run(EXPORT, servable, str(tmp_path / "export"), flag)
    assert (done.returncode, done.stdout.strip()) == (code, printed), done.stderr
    assert "transform failing failed (after nothing): RuntimeError: the fuse is lit" in done.stderr


def test_an_argument_in_code_wins_over_its_flag(servable: str, tmp_path: Path) -> None:
    done = run(PROGRAM, servable, "--slim_transforms=quantize_weights", "--noslim_enabled",
               "--slim_on_error=keep_original", "--slim_suffix=_flag", "--slim_weights=variables",
               "--slim_max_error=1", "--slim_verify=enforce",
               code="transforms='remove_device', enabled=True, on_error='raise', suffix='_code', "
                    "weights='constants', max_error=0, verify='off'")
    assert (done.returncode, done.stdout.strip()) == (0, "['remove_device']"), done.stderr
    assert versions(tmp_path) == ["best", "best_code", "best_code-report"]
    assert versions(tmp_path / "best_code/1700000001/variables") == []


def test_the_defaults_hold_where_nobody_parses_flags(servable: str, tmp_path: Path) -> None:
    done = run(NOTEBOOK, servable)
    ran = str([str(transform) for transform in transform_list(DEFAULT)])
    twin = str(tmp_path / "best-slim/1700000001")
    assert (done.returncode, done.stdout.splitlines()) == (0, [ran, twin, "True True"]), done.stderr


@pytest.mark.parametrize("flags, code, printed, logged", [
    (["--slim_verify=enforce", "--noslim_fallback"], 1, [],
     "is not published, because it does not answer as the original does"),
    (["--slim_verify=require", "--noslim_fallback"], 1, [],
     "is not published, because it does not answer as the original does"),
    (["--slim_verify=enforce"], 0, ["best-slim"], "(as asked) the slim servable does not answer as its"),
    (["--slim_verify=report"], 0, ["best-slim"], "does not answer as its original: output"),
    (["--slim_verify=off"], 0, ["best-slim"], "")], ids=str)
def test_flags_decide_what_becomes_of_a_servable_that_answers_otherwise(
        servable: str, tmp_path: Path, flags: list, code: int, printed: list, logged: str) -> None:
    done = run(PROGRAM, servable, "--slim_transforms=quantize_weights(bits=4, minimum_size=7)",
               "--slim_max_error=0", *flags)
    assert done.returncode == code, done.stderr
    assert logged in done.stderr
    assert ("allow so much with --slim_max_error=" in done.stderr) == (code == 1)
    assert ("publish it all the same with --slim_verify=report" in done.stderr) == (code == 1)
    assert versions(tmp_path) == ["best", *printed, *(f"{one}-report" for one in printed)]


def wrong_values() -> list:
    return [
        ("--slim_transforms=strip_unused_nodes fold_constnts",
         ": column 20: unknown transform 'fold_constnts'; "
         "did you mean 'fold_constants'?"),
        ("--slim_transforms=quantize_weights(minimum_sice=1024)",
         ": column 18: quantize_weights has no option 'minimum_sice'; "
         "did you mean 'minimum_size'?"),
        ("--slim_preset=tiny", "value should be one of <lossless|balanced|smallest|auto>"),
        ("--slim_bits=5", ": expected 4, 8 or 16, got 5"),
        ("--slim_max_accuracy_loss=-1", ": expected a number from 0 to 1, got -1.0"),
        ("--slim_enabled=perhaps", "perhaps"),
        ("--slim_fallback=sometimes", "sometimes"),
        ("--slim_on_error=ignore", "value should be one of <keep_original|raise>"),
        ("--slim_weights=disk", "value should be one of <auto|variables|constants>"),
        ("--slim_meta_graphs=train", "value should be one of <serve|all>"),
        ("--slim_layout=above", "value should be one of <beside|replace>"),
        ("--slim_suffix=", "expected a text that is not empty and has no '/'"),
        ("--slim_suffix=/slim", "expected a text that is not empty and has no '/'"),
        ("--slim_root=", "expected a path, got an empty one"),
        ("--slim_verify=maybe", "value should be one of <enforce|require|report|off>"),
        ("--slim_max_error=2", ": expected a number from 0 to 1, got 2.0"),
        ("--slim_min_agreement=nan", ": expected a number from 0 to 1, got nan"),
        ("--slim_verify_examples=/no/such/file",
         "expected a TFRecord file of tf.Examples that is there"),
        ("--slim_verify_memory=2 dozen", "expected bytes, such as 500MB or 2GB"),
        ("--slim_imports=no_text", ": there is no Python module 'no_text'"),
        ("--slim_patience=0", ": expected a whole number of seconds, 1 or more, got 0"),
        ("--slim_warmup=-1", ": expected a number of records, 0 or more, got -1"),
        ("--slim_report=", ": expected a path, got an empty one"),
        ("--slim_background=maybe", "maybe"),
    ]


@pytest.fixture(scope="session")
def programs(once: Once) -> dict[str, tuple[int, str]]:
    """Wrong flag → (exit code, what was written) of the program that was started with it."""
    def make(folder: Path) -> dict[str, tuple[int, str]]:
        wrong = [flag for flag, _ in wrong_values()]
        done = subprocess.run([sys.executable, "-c", STARTED_WITH_EACH, str(folder), *wrong], text=True,
                              capture_output=True, env=environment())
        assert done.returncode == 0, done.stderr
        return {flag: (int(code), (folder / str(number)).read_text())
                for number, (flag, code) in enumerate(zip(wrong, done.stdout.split()))}
    return once("refused", make)


@pytest.mark.parametrize("flag, message", wrong_values())
def test_a_wrong_value_ends_the_program_before_any_work(
        programs: dict, flag: str, message: str) -> None:
    code, written = programs[flag]
    assert code == 1
    assert "Flags parsing error" in written
    assert flag.split("=")[0].lstrip("-") in written
    assert message in written
    assert "main was called" not in written
    assert "Traceback" not in written


@pytest.mark.parametrize("kind", ["folder", "empty"])
def test_examples_are_in_a_file_that_is_not_empty(tmp_path: Path, kind: str) -> None:
    (tmp_path / "empty").touch()
    path = tmp_path if kind == "folder" else tmp_path / "empty"
    with pytest.raises(flags.IllegalFlagValueError, match="expected a TFRecord file .* not empty, got"):
        flags.FLAGS.slim_verify_examples = str(path)
    flags.FLAGS["slim_verify_examples"].value = None
    with pytest.raises(estimator_slim.OptionError, match="expected a TFRecord file .* not empty, got"):
        estimator_slim.optimize_saved_model(tmp_path, verify_examples=path)


def test_every_flag_has_a_wrong_value_tested() -> None:
    assert {flag.split("=")[0].lstrip("-") for flag, _ in wrong_values()} == {*with_flags()}


# ---- one table


TAKERS = {EXPORTER: estimator_slim.OptimizingExporter.__init__,
          FUNCTION: estimator_slim.optimize_saved_model}
NO_OPTIONS = ["self", "exporter", "src", "dst", "tags"]


def taken_by(taker: str) -> list[str]:
    return [name for name, one in OPTIONS.items() if taker in one.takers]


def with_flags() -> dict[str, Option]:
    return {f"slim_{name}": one for name, one in OPTIONS.items() if one.flag is not None}


@pytest.mark.parametrize("taker", TAKERS)
def test_keyword_arguments_are_the_options_in_their_order_and_none_chooses_by_itself(taker: str) -> None:
    parameters = inspect.signature(TAKERS[taker]).parameters
    defaults = {name: one.default for name, one in parameters.items() if name not in NO_OPTIONS}
    assert list(defaults) == taken_by(taker)
    assert {*defaults.values()} == {None}


@pytest.mark.parametrize("taker", TAKERS)
def test_every_argument_is_documented_in_its_order(taker: str) -> None:
    function = TAKERS[taker]
    arguments = re.split(r"^\w+:$", inspect.getdoc(function) or "", flags=re.MULTILINE)[1]
    documented = re.findall(r"^  (\w+): ", arguments, re.MULTILINE)
    assert documented == [name for name in inspect.signature(function).parameters if name != "self"]


@pytest.mark.parametrize("taker, name", [(taker, name) for taker in TAKERS for name in taken_by(taker)])
def test_what_an_argument_may_be_is_checked_at_once(taker: str, name: str, tmp_path: Path) -> None:
    subject = tf.estimator.LatestExporter("latest", lambda: None) if taker == EXPORTER else tmp_path
    with pytest.raises(estimator_slim.OptionError, match=name):
        getattr(estimator_slim, taker)(subject, **{name: 3.5})


def test_every_flag_is_of_the_table_and_of_this_package_by_its_name() -> None:
    defined = flags.FLAGS.flags_by_module_dict()[estimator_slim.__name__]
    assert {flag.name: (flag.default, re.sub("^<.*>: ", "", flag.help)) for flag in defined} == {
        name: (one.default, one.help) for name, one in with_flags().items()}
    assert {name for name in flags.FLAGS if name.startswith("slim_")} == {*with_flags()}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_default_is_what_the_option_may_be(name: str) -> None:
    OPTIONS[name].check(name, OPTIONS[name].default)


def test_who_chose_an_option_is_kept() -> None:
    with flagsaver.flagsaver(slim_suffix="_flag", slim_warmup=2):
        flags.FLAGS(["program", "--slim_on_error=keep_original"])
        options = resolve(FUNCTION, {"warmup": 3, "weights": None}, on_error="raise", meta_graphs="all")
        flags.FLAGS.unparse_flags()  # as other tests have them
    by = options.chosen_by
    assert (options.suffix, by["suffix"]) == ("_flag", "flag")
    assert (options.warmup, by["warmup"]) == (3, "code")
    assert (options.weights, by["weights"]) == ("auto", "default")
    assert (options.on_error, by["on_error"]) == ("keep_original", "flag")
    assert (options.meta_graphs, by["meta_graphs"]) == ("all", "default")


def test_what_a_taker_does_not_take_stays_at_its_default(monkeypatch: Any) -> None:
    monkeypatch.setitem(OPTIONS, "warmup", dataclasses.replace(OPTIONS["warmup"], takers=(EXPORTER,)))
    with flagsaver.flagsaver(slim_warmup=2):
        assert [resolve(taker).warmup for taker in (EXPORTER, FUNCTION)] == [2, 0]


# ---- choices


def weighed() -> Any:
    """Two weights, of 4 KB and of 400 KB."""
    x = v1.placeholder(tf.float32, [None, 10], "x")
    small = variable("small", np.ones([10, 100], np.float32))
    large = variable("large", np.ones([100, 1000], np.float32))
    return {"x": x}, {"y": x @ small @ large}


def refusing() -> Any:
    """What answers nothing that is asked."""
    x = v1.placeholder(tf.float32, [None, 4], "x")
    with tf.control_dependencies([v1.assert_equal(tf.size(x), -1)]):
        return {"x": x}, {"y": tf.identity(x)}


@pytest.fixture(scope="module")
def done_with(tmp_path_factory: Any, exported: Callable, trained: str) -> Callable:
    """`done_with(option, choice)`: what there is to see of the choice."""
    folder = tmp_path_factory.mktemp("chosen")
    two_weights = by_hand.servable(folder, weighed)

    def on_error(choice: str) -> str:
        try:
            return str(estimator_slim.optimize_saved_model(folder / "missing", on_error=choice))
        except estimator_slim.SourceError as e:
            return type(e).__name__

    def weights(choice: str) -> int:
        found = by_hand.slim(two_weights, "", weights=choice)[0]
        return sum(path.stat().st_size for path in Path(found, "variables").glob("*data*"))

    def meta_graphs(choice: str) -> int:
        found = by_hand.slim(exported("all_modes"), "", meta_graphs=choice)[0]
        return len(loader_impl.parse_saved_model(found).meta_graphs)

    unanswered = by_hand.servable(folder, refusing)

    def verify(choice: str) -> list[str]:
        return [verified(source, choice) for source in (trained, unanswered)]

    def verified(source: str, choice: str) -> str:
        try:
            report = by_hand.slim(source, "quantize_weights(bits=4, minimum_size=7)", max_error=0,
                                  verify=choice)[1]
        except estimator_slim.VerificationError as e:
            return type(e).__name__
        return str(report.verification and report.verification.passed)

    def preset(choice: str) -> str:
        chosen = resolve(FUNCTION, {"preset": choice})
        return f"{chosen.lists} {chosen.max_accuracy_loss}"

    def layout(choice: str) -> str:
        exporter = estimator_slim.OptimizingExporter(Prepared(trained, ["7"]), LOSSLESS, layout=choice)
        where = folder / choice
        returned = exporter.export(None, str(where / "export/latest"), "", {}, False)
        return f"{versions(where)} {versions(where / 'export')} {Path(returned).relative_to(where)}"

    seen = {"layout": layout, "preset": preset, "on_error": on_error, "weights": weights,
            "meta_graphs": meta_graphs, "verify": verify}
    return lambda option, choice: str(seen[option](choice))


@pytest.mark.parametrize("name", [name for name, one in OPTIONS.items() if isinstance(one.flag, tuple)])
def test_each_choice_of_an_option_does_something_of_its_own(name: str, done_with: Callable) -> None:
    choices = OPTIONS[name].flag
    assert len({done_with(name, choice) for choice in choices}) == len(choices)


@pytest.mark.parametrize("given, count", [
    ("500MB", 500_000_000), ("2gb", 2_000_000_000), ("1.5 GiB", 3 << 29), ("4096", 4096), (7, 7)])
def test_memory_is_a_number_of_bytes_or_has_a_unit(given: Any, count: int) -> None:
    assert resolve(FUNCTION, {"verify_memory": given}).verify_memory == count
