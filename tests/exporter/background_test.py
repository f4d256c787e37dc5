"""With `background` an exporter returns at once; what it exported gets its slim twin all the same."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from estimator_slim import OptimizingExporter, TransformError, load_report
from estimator_slim.exporter import held_checkpoint
from tests.exporter.held_checkpoint_test import checkpoints, keep, model_dir  # noqa: F401  a fixture
from tests.faults.exporting import Prepared
from tests.support.failing import Failing
from tests.support.processes import environment
from tests.support.training import LOSSLESS, contents, estimator, input_fn, versions
from tests.support.waiting import Waiting, wait_for

NAMES = [f"170000000{number}" for number in range(1, 9)]


def export(exporter: OptimizingExporter, folder: Path, *, step: int = 0, final: bool = False) -> None:
    checkpoint = str(folder / f"model.ckpt-{step}") if step else ""
    exporter.export(None, str(folder / "latest"), checkpoint, {}, is_the_final_export=final)


def slims(folder: Path) -> list[str]:
    return [name for name in versions(folder / "latest-slim") if name.isdigit()]


def test_an_export_returns_at_once_and_the_newest_waits(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    go = tmp_path / "go"
    exporter = OptimizingExporter(Prepared(trained, NAMES), [LOSSLESS, Waiting(path=str(go))],
                                  background=True, on_error="raise")
    with caplog.at_level("INFO", "absl"):
        export(exporter, tmp_path)
        wait_for(f"{go}.begun")
        for _ in range(2):
            export(exporter, tmp_path)
        assert slims(tmp_path) == []
        assert f"{NAMES[1]} waits for its slim servable no longer, as" in caplog.text
        go.touch()
        export(exporter, tmp_path, final=True)
    assert {NAMES[0], NAMES[3]} <= set(slims(tmp_path))
    assert f"{NAMES[3]}: " in caplog.text and " kB → " in caplog.text
    assert load_report(tmp_path / f"latest-slim-report/{NAMES[3]}.json").outcome == "published"
    export(exporter, tmp_path, final=True)
    assert NAMES[1] in slims(tmp_path) or NAMES[2] in slims(tmp_path)
    assert not list(tmp_path.rglob("temp-*"))


def test_original_and_checkpoint_are_held_until_it_is_done(
        trained: str, model_dir: Path) -> None:  # noqa: F811
    go, before = model_dir / "go", checkpoints(model_dir)
    exporter = OptimizingExporter(
        Prepared(trained, NAMES, keep=1), [Waiting(path=str(go)), "drop_untrained_rows"],
        background=True, on_error="raise", verify="report", fallback=False)
    export(exporter, model_dir, step=1)
    wait_for(f"{go}.begun")
    keep(model_dir, 2)
    original = contents(trained)
    export(exporter, model_dir, step=2)
    assert versions(model_dir / "latest")[0] == NAMES[1]  # the first is collected
    held_checkpoint.let_go(but=None)
    go.touch()
    export(exporter, model_dir, step=2, final=True)
    held_checkpoint.let_go(but=None)
    assert slims(model_dir) == [NAMES[2]]
    assert checkpoints(model_dir) == {name: at for name, at in before.items() if "ckpt-2" in name}
    assert contents(model_dir / "latest" / NAMES[2]) == original
    assert "cannot be read" not in (model_dir / f"latest-slim-report/{NAMES[2]}.json").read_text()


def test_its_error_is_logged_whole_and_raised_by_the_next_export(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    exporter = OptimizingExporter(Prepared(trained, NAMES), [LOSSLESS, Failing(at=tuple(range(9)))],
                                  background=True)
    export(exporter, tmp_path, final=True)
    assert f"no slim servable of {tmp_path}/latest/{NAMES[0]}" in caplog.text
    assert "failed (after strip_unused_nodes" in caplog.text and "the fuse is lit" in caplog.text
    exporter = OptimizingExporter(Prepared(trained, NAMES[1:]), [Failing(at=tuple(range(9)))],
                                  background=True, on_error="raise")
    with pytest.raises(TransformError, match="the fuse is lit"):
        export(exporter, tmp_path, final=True)


def test_the_batches_of_an_input_fn_are_drawn_for_it(trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(Prepared(trained, NAMES), LOSSLESS, background=True,
                                  verify="enforce", verify_input_fn=lambda: input_fn(), on_error="raise")
    exporter.export(estimator(str(tmp_path / "model")), str(tmp_path / "latest"), "", {}, True)
    record = load_report(tmp_path / f"latest-slim-report/{NAMES[0]}.json")
    assert record.verification.examples > 0
    assert any(one.origin == "input_fn" for one in record.verification.questions)


PROGRAM = """if True:
    import os, signal, sys, time
    import time
    from tests.exporter.background_test import *
    from estimator_slim import OptimizingExporter
    folder, go = Path({folder!r}), {go!r}
    exporter = OptimizingExporter(Prepared({trained!r}, NAMES), [LOSSLESS, Waiting(path=go)],
                                  background={background}, verify="off")
    {before}
    export(exporter, folder)
    wait_for(go + ".begun")
    {after}
"""


def run(trained: str, folder: Path, **parts: Any) -> subprocess.Popen:
    parts = {"background": True, "before": "", "after": "", **parts}
    program = PROGRAM.format(folder=str(folder), go=str(folder / "go"), trained=trained, **parts)
    return subprocess.Popen([sys.executable, "-c", program], env=environment(), stderr=subprocess.PIPE,
                            text=True)


def test_what_was_exported_last_is_done_before_the_program_ends(trained: str, tmp_path: Path) -> None:
    process = run(trained, tmp_path, after="open(go, 'w').close()")
    assert process.communicate()[1].count("Traceback") == 0
    assert slims(tmp_path) == [NAMES[0]]


def test_ctrl_c_ends_it_at_once(trained: str, tmp_path: Path) -> None:
    process = run(trained, tmp_path, after="time.sleep(600)")
    wait_for(str(tmp_path / "go.begun"))
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=200)[1]
    assert f"latest-slim/{NAMES[0]} is not finished" in said
    assert slims(tmp_path) == []


@pytest.mark.parametrize("number, said", [
    (signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "KeyboardInterrupt")], ids=str)
def test_what_a_signal_ends_is_named_in_one_line_and_goes_on_as_ever(
        trained: str, tmp_path: Path, number: int, said: str) -> None:
    process = run(trained, tmp_path, background=False)
    wait_for(str(tmp_path / "go.begun"))
    process.send_signal(number)
    told = process.communicate(timeout=200)[1]
    assert process.returncode in (-number, 1)  # Python's own end of a KeyboardInterrupt
    assert f"{said}: {tmp_path}/latest/{NAMES[0]} has no slim servable yet" in told
    assert told.count("/estimator_slim/") <= 2
