"""In a TFX pipeline the slim servable is what Trainer hands over and Pusher pushes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import OptimizingExporter, OptionError, SourceError, load_report, tfx
from estimator_slim.saved_model import is_copy, is_marked
from tests.support import training
from tests.support.failing import Failing
from tests.support.platforms import SERVING, Tfx, model_of_tfx
from tests.support.training import LOSSLESS, contents, versions


def trainer_fn(fn_args: Any, schema: Any) -> dict:
    """As TFX's template of a module_file has it: the model_dir is the serving_model_dir."""
    final = tf.estimator.FinalExporter("intents", training.receiver_fn)
    return {"estimator": training.estimator(fn_args.serving_model_dir),
            "train_spec": tf.estimator.TrainSpec(training.input_fn, max_steps=fn_args.train_steps),
            "eval_spec": tf.estimator.EvalSpec(training.input_fn, steps=fn_args.eval_steps,
                                               exporters=[final]),
            "eval_input_receiver_fn": None}


@pytest.fixture(scope="module")
def trained_by_trainer_fn(tmp_path_factory: Any) -> Tfx:
    pipeline = Tfx(tmp_path_factory.mktemp("pipeline"))
    pipeline.train_by_trainer_fn(tfx.trainer_fn(trainer_fn, transforms=LOSSLESS))
    return pipeline


def test_an_estimators_trainer_hands_over_the_slim_servable_and_pusher_pushes_it(
        trained_by_trainer_fn: Tfx) -> None:
    pushed = trained_by_trainer_fn.push()
    assert is_marked(pushed)
    tf.saved_model.load(pushed)


def test_the_original_and_the_record_stay_in_the_working_folder_outside_of_the_exports(
        trained_by_trainer_fn: Tfx) -> None:
    working = Path(trained_by_trainer_fn.run, SERVING)
    assert versions(working / "export") == ["intents"]
    assert versions(working / "export-original") == ["intents", "intents-report"]
    [version] = versions(working / "export/intents")
    assert versions(working / "export-original/intents") == [version]
    assert not is_marked(str(working / "export-original/intents" / version))
    report = load_report(working / f"export-original/intents-report/{version}.json")
    assert report.outcome == "published"


def test_a_trainer_fn_may_wrap_its_exporters_itself(tmp_path: Path) -> None:
    given = SimpleNamespace(serving_model_dir=str(tmp_path), train_steps=1, eval_steps=1)
    spec = trainer_fn(given, None)
    own = OptimizingExporter(spec["eval_spec"].exporters[0], LOSSLESS, layout="replace")
    spec["eval_spec"] = spec["eval_spec"]._replace(exporters=(own,))
    wrapped = tfx.trainer_fn(lambda fn_args, schema: spec)(None, None)
    assert wrapped["eval_spec"].exporters == (own,)
    assert tfx.trainer_fn(trainer_fn).__name__ == "trainer_fn"  # by which TFX finds it


# ---- run_fn


def saving(trained: str, below: str) -> Any:
    """A `run_fn` that saves a model: into the serving_model_dir itself, or `below` it."""
    def run_fn(fn_args: Any) -> None:
        shutil.copytree(trained, os.path.join(fn_args.serving_model_dir, below))
    return run_fn


@pytest.mark.parametrize("below", ["", "export/intents/1700000001"])
def test_a_generic_trainer_hands_over_the_slim_servable_and_pusher_pushes_it(
        trained: str, tmp_path: Path, below: str) -> None:
    pipeline = Tfx(tmp_path)
    pipeline.train_by_run_fn(tfx.run_fn(saving(trained, below), transforms=LOSSLESS))
    assert is_marked(pipeline.push())
    assert contents(tmp_path / "model_run/original" / below) == contents(trained)
    assert versions(tmp_path / "model_run") == [
        f"{SERVING}-report.html", f"{SERVING}-report.json", "original"]
    assert versions(tmp_path / "model") == [SERVING]


def test_what_cannot_be_slimmed_is_handed_over_as_it_is(trained: str, tmp_path: Path) -> None:
    Failing.runs.clear()
    pipeline = Tfx(tmp_path)
    pipeline.train_by_run_fn(tfx.run_fn(saving(trained, ""), transforms=[Failing()]))
    pushed = pipeline.push()
    assert is_copy(pushed)
    note = contents(pushed).keys() - contents(trained).keys()
    assert {one for one in note if "." in os.path.basename(one)} >= {"assets.extra/estimator_slim.txt"}
    kept = {name: told for name, told in contents(pushed).items() if name in contents(trained)}
    assert kept == contents(trained)
    assert load_report(tmp_path / f"model_run/{SERVING}-report.json").outcome == "failed"


def test_of_several_exports_none_is_taken(trained: str, tmp_path: Path) -> None:
    def run_fn(fn_args: Any) -> None:
        for name in ("best", "final"):
            saving(trained, f"export/{name}/1700000001")(fn_args)
    with pytest.raises(SourceError, match="one folder, since TFX takes the only one, got best, final"):
        Tfx(tmp_path).train_by_run_fn(tfx.run_fn(run_fn))


def test_a_worker_that_exports_nothing_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="run_fn failed to generate model"):
        Tfx(tmp_path).train_by_run_fn(tfx.run_fn(lambda fn_args: None))
    assert versions(tmp_path / "model") == []


# ---- a rewriter


def model(path: Path, kind: str) -> Any:
    """TFX's ModelDescription."""
    return SimpleNamespace(path=str(path), model_type=SimpleNamespace(name=kind))


@pytest.mark.parametrize("kind", ["SAVED_MODEL", "ANY_MODEL"])
def test_a_rewriter_fills_the_folder_that_tfx_made_for_it(
        trained: str, tmp_path: Path, kind: str) -> None:
    (tmp_path / "tmp-rewrite-1700000001").mkdir()
    rewriter = tfx.Rewriter(transforms=LOSSLESS)
    assert rewriter.name
    rewriter.perform_rewrite(model(Path(trained), "SAVED_MODEL"),
                             model(tmp_path / "tmp-rewrite-1700000001", kind))
    assert versions(tmp_path) == ["tmp-rewrite-1700000001"]
    assert is_marked(str(tmp_path / "tmp-rewrite-1700000001"))


@pytest.mark.parametrize("source, kind, message", [
    ("trained", "TFLITE_MODEL", "to a SavedModel, and not to"),
    ("nothing", "SAVED_MODEL", "failed to rewrite .* is not there")])
def test_what_a_rewriter_cannot_do_is_the_error_that_tfx_expects(
        trained: str, tmp_path: Path, source: str, kind: str, message: str) -> None:
    original = Path(trained) if source == "trained" else tmp_path / "nothing"
    with pytest.raises(ValueError, match=message):
        tfx.Rewriter().perform_rewrite(model(original, "SAVED_MODEL"), model(tmp_path / "slim", kind))
    assert versions(tmp_path) == []


def test_an_option_that_there_is_not_is_told_when_the_pipeline_is_made(trained: str) -> None:
    with pytest.raises(OptionError, match="layout and suffix exclude each other"):
        tfx.trainer_fn(trainer_fn, suffix="-tiny")


def test_without_it_tfx_refuses_a_twin_beside_its_original(trained: str, tmp_path: Path) -> None:
    for name in ("best", "best-slim"):
        shutil.copytree(trained, tmp_path / "export" / name / "1")
    with pytest.raises(RuntimeError, match="Only one file per dir"):
        model_of_tfx(str(tmp_path))
