"""What is shown of long work: steps in lines; a bar on a terminal, and lines elsewhere."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
from types import SimpleNamespace
from typing import Any

import pytest

from estimator_slim.cli import shown as module
from estimator_slim.cli.shown import shown
from estimator_slim.progress import tell

MB = 1_000_000


def work() -> None:
    tell("read")
    for done in range(0, 101, 10):
        tell("writing table", done * MB, 100 * MB)
    tell("fold_constants: 3 -> 2 nodes")


@pytest.fixture(autouse=True)
def a_second_for_each_look_at_the_clock(monkeypatch: Any) -> None:
    seconds = iter(range(1_000))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))


def test_steps_are_lines_and_a_long_one_tells_how_far_it_is(capsys: Any) -> None:
    lines = io.StringIO()
    with shown(lines):
        work()
    assert [re.sub(r"\[ *\d+\.0 s\] ", "", line) for line in lines.getvalue().splitlines()] == [
        "reading", "fold_constants: 3 -> 2 nodes"]
    first, *_ = told = capsys.readouterr().err.splitlines()
    assert first == "writing table: 40 % of 100 MB, 8 MB/s, 8 s left"
    assert len(told) == 2


def test_on_a_terminal_it_is_a_bar_that_is_gone_in_the_end(monkeypatch: Any) -> None:
    parent, child = pty.openpty()
    os.set_blocking(parent, False)
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with os.fdopen(child, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(module, "_DELAY", 0.0)
        with shown(io.StringIO()):
            work()
        terminal.flush()
        drawn = os.read(parent, 1 << 16).decode()
    os.close(parent)
    assert re.search(r"writing table: +0%\|.*/100M", drawn)
    assert drawn.rstrip(" ").endswith("\r")
