"""Makes each mutant in a copy of the repository, and says which test finds it; fails where none does.

    python -m tests.mutants.run                  all of them, each with the tests of its entry
    python -m tests.mutants.run --all            each with every test of the README's command
    python -m tests.mutants.run checksum twin    those that have one of these words in their name
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.mutants import MUTANTS, Mutant
from tests.support.processes import ROOT, environment

COPIED = ("estimator_slim", "tests", "examples", "README.md", "BUILD_NOTES.md", "pyproject.toml")


def changed(mutant: Mutant, text: str) -> str:
    """The file's text with the wrong line.

    Raises:
      ValueError: the right one is not in it once.
    """
    if text.count(mutant.right) != 1:
        raise ValueError(f"{mutant.file} has {text.count(mutant.right)} times what '{mutant.name}' "
                         f"changes:\n{mutant.right}\nSay in tests/mutants/mutants.py what it is now")
    return text.replace(mutant.right, mutant.wrong)


def found_by(mutant: Mutant, copy: Path, tests: list[str]) -> str | None:
    """The first of the tests that fails with the mutant in the copy; None where all pass."""
    file = copy / "estimator_slim" / mutant.file
    right = file.read_text(encoding="utf-8")
    file.write_text(changed(mutant, right), encoding="utf-8")
    try:
        done = subprocess.run([sys.executable, "-m", "pytest", "-x", "-n", "0", "-p", "no:cacheprovider",
                               *tests], cwd=copy, text=True, capture_output=True,
                              env=environment(PYTHONPATH=str(copy)))
    finally:
        file.write_text(right, encoding="utf-8")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1) or (done.returncode == 1 and not failed):
        raise RuntimeError(f"the tests {tests} did not run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return failed[1] if failed else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("words", nargs="*", help="of the names of mutants; default: all")
    parser.add_argument("--all", action="store_true", help="run every test of the README's command")
    arguments = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            kind = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            kind(ROOT / name, copy / name)
        for mutant in MUTANTS:
            if arguments.words and not any(word in mutant.name for word in arguments.words):
                continue
            test = found_by(mutant, copy, [] if arguments.all else mutant.tests.split())
            missed += test is None
            print(f"{mutant.name}: {test or 'NOT FOUND'}", flush=True)
    print(f"{missed} not found" if missed else "each was found")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
