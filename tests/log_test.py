"""Log lines: shown once, where the program shows its own, and nothing of its logging is changed."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

LINES = """
from estimator_slim import log
log.info("done %d", 1)
log.warning("look %d", 2)
try:
    raise ValueError("why")
except ValueError as e:
    log.failure(e, "failed 3")
tf.get_logger().warning("theirs")
print(len(logging.root.handlers), file=sys.stderr)
"""
SHOWN = re.compile(r"(done|look|failed) \d|theirs$|\AValueError: why")
IMPORTS = "import logging, sys, tensorflow as tf\nfrom absl import app, logging as absl_logging\n"


def printed(program: str) -> list[str]:
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", IMPORTS + program], capture_output=True, text=True,
                          check=True, env=environment)
    lines = done.stderr.splitlines()
    return [line for line in lines if line.isdigit() or SHOWN.search(line)]


def in_app(setting: str) -> str:
    return f"{setting}\ndef main(_):\n" + "\n".join(f"    {line}" for line in LINES.splitlines()) + \
        "\napp.run(main)\n"


TENSORFLOW = "tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.INFO)"
ABSL = "absl_logging.set_verbosity(absl_logging.INFO)"


def test_a_program_that_shows_tensorflows_lines_shows_ours_beside_them_once() -> None:
    assert printed(TENSORFLOW + LINES) == [
        "INFO:tensorflow:done 1", "WARNING:tensorflow:look 2", "ERROR:tensorflow:failed 3",
        "ValueError: why", "WARNING:tensorflow:theirs", "0"]


def test_one_that_sets_nothing_up_shows_warnings() -> None:
    assert printed(LINES) == [
        "WARNING:tensorflow:look 2", "ERROR:tensorflow:failed 3", "ValueError: why",
        "WARNING:tensorflow:theirs", "0"]


@pytest.mark.parametrize("setting", [ABSL, TENSORFLOW])
def test_one_of_absl_shows_them_as_absl_does(setting: str) -> None:
    done, look, failed, why, *_, handlers = printed(in_app(setting))
    assert done.startswith("I") and done.endswith("done 1")
    assert look.startswith("W") and re.search(r"<string>:\d+] look 2$", look)  # not log.py
    assert failed.startswith("E") and why == "ValueError: why"
    assert handlers == "1"


def test_one_that_asked_absl_for_them_gets_them_from_absl() -> None:
    assert printed(ABSL + LINES)[0] == "INFO:absl:done 1"
