"""`estimator-slim optimize` of many servables: a table, a summary, and an exit code for all."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from estimator_slim.cli import exit_codes, main
from tests.support import many
from tests.support.processes import run_python

OPTIMIZE = ["optimize", "models/*/export/best/*", "--slim_verify=off"]


def test_a_table_says_what_became_of_each_and_the_exit_code_whether_all_are_done(
        tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    monkeypatch.chdir(tmp_path)
    models = many.make(tmp_path, 3)
    many.break_one(models[1])
    assert main([*OPTIMIZE, "--out=slim", "--jobs=1"]) == exit_codes.FAILED
    done = capfd.readouterr()
    assert done.err == ""
    head, *lines, last = done.out.splitlines()
    assert head.split() == ["outcome", "MB", "slim", "MB", "seconds", "servable"]
    assert sorted(line.split()[0] for line in lines) == ["failed", "published", "published"]
    [failed] = [line for line in lines if line.startswith("failed")]
    assert failed.split(maxsplit=2)[2].startswith(
        f"models/m01/export/best/{many.VERSION}: its saved_model file is damaged")
    assert re.fullmatch(r"2 of 3 servables done: 1 failed, 2 published; \d+ s", last)
    assert json.loads((tmp_path / "slim/summary.json").read_text())["all_done"] is False

    shutil.rmtree(models[1])
    assert main([*OPTIMIZE, "--out=slim", "--json"]) == exit_codes.DONE
    again = capfd.readouterr()
    assert again.err == ""
    assert json.loads(again.out)["counts"] == {"unchanged": 2}
    assert again.out.rstrip() == (tmp_path / "slim/summary.json").read_text().rstrip()


def test_a_pattern_alone_means_many(tmp_path: Path) -> None:
    done = run_python("-m", "estimator_slim", *OPTIMIZE, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (exit_codes.FAILED, "")
    assert done.stderr.startswith("estimator-slim: models/*/export/best/* matches no folder of an ")
