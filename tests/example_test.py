"""The example, as a reader runs it: it trains, exports both servables, and keeps its promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_example_makes_a_servable_of_a_third_that_answers_the_same(
        tmp_path: Path, warm: None) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "intent_classifier.py"), "--train_steps=300",
         f"--model_dir={tmp_path / 'model'}"],
        env=environment, cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-3000:]
    size = found(r"size on disk +([\d.]+) MB +([\d.]+) MB +([\d.]+) ×", done.stdout)
    assert float(size[2]) <= 0.30 * float(size[1])
    same = found(r"same intent as the original +([\d.]+)%", done.stdout)
    assert float(same[1]) >= 99.5
    accuracy = found(r"accuracy, .* sentences +([\d.]+)% +([\d.]+)%", done.stdout)
    assert min(float(accuracy[1]), float(accuracy[2])) >= 90.0
    assert found(r"verified: \d signatures; ([\d,]+) of your examples: .*, accuracy 0\.\d+ -> 0\.\d+",
                 done.stderr)
    assert done.stdout.count("both: ") + done.stdout.count("original: ") == 3
    for which in ("Original", "Slim"):
        path = found(rf"{which}: +(\S+)", done.stdout)[1]
        assert sorted(os.listdir(path))[-2:] == ["saved_model.pb", "variables"]


def found(pattern: str, text: str) -> re.Match:
    """The match of `pattern`, which has to be there."""
    match = re.search(pattern, text)
    assert match is not None, f"{pattern} is not in:\n{text}"
    return match
