"""A checkpoint that the chief deletes while a servable is optimized is there for the next exporter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import OptimizingExporter
from estimator_slim.exporter import held_checkpoint
from tests.faults.exporting import Prepared
from tests.support.processes import environment
from tests.support.training import LOSSLESS, contents, versions
from tests.support.waiting import wait_for

FILES = ("data-00000-of-00001", "index", "meta")


@pytest.fixture
def model_dir(trained: str, tmp_path: Path) -> Path:
    """A model_dir whose checkpoints of steps 1 and 2 are those of a training, kept by its state file."""
    (tmp_path / "model").mkdir()
    for step in (1, 2):
        for file in FILES:
            shutil.copy(Path(trained).parents[1] / f"model/model.ckpt-1.{file}",
                        tmp_path / f"model/model.ckpt-{step}.{file}")
    keep(tmp_path / "model", 1, 2)
    return tmp_path / "model"


def keep(model_dir: Path, *steps: int) -> None:
    """What a trainer does that keeps these checkpoints: writes the state file, deletes the others."""
    paths = [str(model_dir / f"model.ckpt-{step}") for step in steps]
    tf.compat.v1.train.update_checkpoint_state(str(model_dir), paths[-1], paths)
    for path in model_dir.glob("model.ckpt-*"):
        if str(path.with_suffix("")) not in paths:
            path.unlink()


class Deleting(tf.estimator.Exporter):
    """Exports as another does, after which the chief keeps the checkpoints of some steps alone."""

    name = "latest"

    def __init__(self, exporter: Any, model_dir: Path, *steps: int) -> None:
        self.exporter, self.model_dir, self.steps = exporter, model_dir, steps

    def export(self, **arguments: Any) -> Any:
        result = self.exporter.export(**arguments)
        keep(self.model_dir, *self.steps)
        return result


def export(exporter: OptimizingExporter, model_dir: Path, step: int) -> None:
    exporter.export(None, str(model_dir / "export/latest"), str(model_dir / f"model.ckpt-{step}"), {},
                    is_the_final_export=False)


def checkpoints(model_dir: Path) -> dict[str, str]:
    return {name: what for name, what in contents(model_dir).items()
            if name.startswith(("model.ckpt", "temp-"))}


def test_what_was_deleted_meanwhile_is_back_until_another_checkpoint_is_exported(
        trained: str, model_dir: Path) -> None:
    before = checkpoints(model_dir)
    prepared = Prepared(trained, ["1700000001", "1700000002", "1700000003"])
    exporter = OptimizingExporter(Deleting(prepared, model_dir, 2), LOSSLESS)
    export(exporter, model_dir, 1)
    after = checkpoints(model_dir)
    assert {name: after[name] for name in before} == before
    export(OptimizingExporter(prepared, LOSSLESS), model_dir, 1)  # the next exporter
    assert {name: checkpoints(model_dir)[name] for name in before} == before
    export(exporter, model_dir, 2)
    assert checkpoints(model_dir) == {name: before[name] for name in before if "ckpt-2" in name}


def test_the_newest_is_there_for_the_next_evaluation_though_the_chief_deletes_it_before(
        trained: str, model_dir: Path) -> None:
    exporter = OptimizingExporter(Prepared(trained, ["1700000001", "1700000002"]), LOSSLESS)
    export(exporter, model_dir, 1)  # behind which 2 is evaluated
    for file in FILES:
        shutil.copy(model_dir / f"model.ckpt-2.{file}", model_dir / f"model.ckpt-3.{file}")
    keep(model_dir, 3)
    for file in FILES:
        wait_for(str(model_dir / f"model.ckpt-2.{file}"), seconds=60)
    export(exporter, model_dir, 3)
    assert {name[:12] for name in checkpoints(model_dir)} == {"model.ckpt-3"}


class Late(Prepared):
    """Exports when the chief has deleted the checkpoint of step 1, and it is there again."""

    def export(self, *arguments: Any, **by_name: Any) -> str:
        home = Path(by_name["checkpoint_path"]).parent
        keep(home, 2)
        for file in FILES:
            wait_for(str(home / f"model.ckpt-1.{file}"), seconds=60)
        return super().export(*arguments, **by_name)


def test_it_is_there_for_the_wrapped_exporter_though_the_chief_deletes_it(
        trained: str, model_dir: Path) -> None:
    export(OptimizingExporter(Late(trained, ["1700000001"]), LOSSLESS), model_dir, 1)
    assert versions(model_dir / "export/latest-slim") == ["1700000001"]
    held_checkpoint.let_go(but=None)


def test_it_is_read_though_it_was_deleted(trained: str, model_dir: Path) -> None:
    exporter = OptimizingExporter(Deleting(Prepared(trained, ["1700000001"]), model_dir, 2),
                                  "drop_untrained_rows", on_error="raise")
    export(exporter, model_dir, 1)
    record = (model_dir / "export/latest-slim-report/1700000001.json").read_text()
    assert f'"value": "{model_dir}/model.ckpt-1"' in record
    assert "cannot be read" not in record
    held_checkpoint.let_go(but=None)


def test_where_nothing_is_deleted_nothing_is_left(trained: str, model_dir: Path) -> None:
    before = checkpoints(model_dir)
    export(OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS), model_dir, 2)
    assert checkpoints(model_dir) == before


@pytest.mark.parametrize("what", ["kept", "another"])
def test_what_is_not_to_be_taken_away_stays(model_dir: Path, what: str) -> None:
    with held_checkpoint.held(str(model_dir / "model.ckpt-1")):
        keep(model_dir, 2)
    if what == "kept":  # by a trainer that was started again
        keep(model_dir, 1, 2)
    else:               # as written anew, by renames, by a trainer that was started again
        for file in FILES:
            (model_dir / "written").write_text("new")
            (model_dir / "written").rename(model_dir / f"model.ckpt-1.{file}")
    before = {name: at for name, at in checkpoints(model_dir).items() if not name.startswith("temp-")}
    held_checkpoint.let_go(but=None)
    assert checkpoints(model_dir) == before


@pytest.mark.parametrize("dies", [False, True])
def test_it_is_taken_away_at_exit_and_after_a_kill_by_the_next(model_dir: Path, dies: bool) -> None:
    program = f"""if True:
        import os, sys
        from pathlib import Path
        from estimator_slim.exporter.held_checkpoint import held
        from tests.exporter.held_checkpoint_test import keep
        with held({str(model_dir / "model.ckpt-1")!r}):
            keep(Path({str(model_dir)!r}), 2)
        assert os.path.exists({str(model_dir / "model.ckpt-1.index")!r})
        if {dies}:
            os.kill(os.getpid(), 9)
        """
    ended = subprocess.run([sys.executable, "-c", program], env=environment(), check=False)
    assert ended.returncode == (-9 if dies else 0)
    assert (model_dir / "model.ckpt-1.index").exists() == dies
    with held_checkpoint.held(str(model_dir / "model.ckpt-2")):
        pass
    assert {name[:12] for name in checkpoints(model_dir)} == {"model.ckpt-2"}


def test_without_hard_links_the_log_says_so_once_and_all_goes_on(
        trained: str, model_dir: Path, monkeypatch: Any, caplog: Any) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)  # as FAT and some network disks do
    exporter = OptimizingExporter(Prepared(trained, ["1700000001", "1700000002"]), LOSSLESS)
    with caplog.at_level("INFO", "absl"):
        for _ in range(2):
            export(exporter, model_dir, 2)
    assert caplog.text.count(f"checkpoints in {model_dir} cannot be held") == 1
    assert versions(model_dir / "export/latest-slim") == ["1700000001", "1700000002"]
    assert not list(model_dir.glob("temp-*"))
