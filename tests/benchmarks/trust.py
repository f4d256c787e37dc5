"""How much went wrong on purpose, and how often all was as promised: the tests' faults, more of each.

Goal: in each row the second number is the first; no failed load, no wrong answer.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from markdown_table import show

KILLS, KILLS_BY_TIME, KILLS_IN_VERIFICATION, EXPORTS = 150, 50, 10, 100
Row = tuple[str, int, int]


def run(options: argparse.Namespace) -> None:
    folder = Path(options.work) / "trust"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    show("What was done to exporting processes, servables and answers", ["", "tried", "as promised"],
         [*_kills(folder), *_tests("faults", "other faults around an export, survived (tests)"),
          *_mutations(folder), *_tests("hostile", "hostile servables, refused cleanly (tests)")])
    show(f"A server that watches {EXPORTS} exports",
         ["polls", "loads", "collected under its eyes", "failures", "wrong answers"], [_watch(folder)])
    shutil.rmtree(folder)


def _kills(folder: Path) -> Iterator[Row]:
    from tests.faults import exporting, killing

    (folder / "scene").mkdir()
    exporting.make_scene(folder / "scene")
    series: dict[str, Callable] = {
        "kill -9 before or after a change of files, survived": lambda work: killing.deaths(
            folder / "scene", work, KILLS, seed=2),
        "death at any time, survived": lambda work: killing.deaths_by_time(
            folder / "scene", work, KILLS_BY_TIME, seed=2),
        "kill -9 while it is verified, survived": lambda work: killing.deaths(
            folder / "scene", work, KILLS_IN_VERIFICATION, seed=2, places=["verify/"], verify="enforce")}
    for title, make in series.items():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            killed = [death for death in make(Path(work)) if death.status < 0]
        for death in killed:
            if not death.survived:
                print(f"not survived: {death}", file=sys.stderr)
        yield title, len(killed), sum(death.survived for death in killed)


def _watch(folder: Path) -> list[Any]:
    from tests.faults.watching import watched

    (folder / "watched").mkdir()
    _, seen, wrong = watched(folder / "watched", EXPORTS)
    for line in [*seen.failed, *wrong]:
        print(line, file=sys.stderr)
    return [str(seen.polls), len(seen.loaded), len(seen.collected), len(seen.failed), len(wrong)]


def _mutations(folder: Path) -> Iterator[Row]:
    """Slim servables broken on purpose, and how many of them verification caught."""
    from tests.support.models import MODELS
    from tests.verify.breaking import WHOLE, trials

    @functools.lru_cache(None)
    def exported(name: str) -> str:
        path = folder / "models" / name
        path.mkdir(parents=True)
        return MODELS[name].build(str(path))
    (folder / "broken").mkdir()
    broken = [trial for trial in trials(exported, folder / "broken") if trial.kind != WHOLE]
    yield ("slim servables broken on purpose, caught by verification", len(broken),
           sum(trial.caught for trial in broken))


def _tests(name: str, title: str) -> Iterator[Row]:
    """The tests in a folder of tests, and those that passed; the two that count otherwise left out."""
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "result.xml")
        subprocess.run([sys.executable, "-m", "pytest", "-m", "", f"tests/{name}",
                        f"--junitxml={result}", "--ignore-glob=*/kill_test.py",
                        "--ignore-glob=*/watching_test.py"],
                       cwd=Path(__file__).parents[2], stdout=sys.stderr)
        suite = xml.etree.ElementTree.parse(result).getroot()[0]
    tried = int(suite.attrib["tests"]) - int(suite.attrib["skipped"])
    yield title, tried, tried - int(suite.attrib["failures"]) - int(suite.attrib["errors"])
