"""What OptimizingExporter promises when something goes wrong, or is asked to do something else."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import OptimizingExporter, OptionError, TransformError
from tests.faults.exporting import Prepared, Then
from tests.support.failing import Failing
from tests.support.training import (
    LOSSLESS,
    contents,
    estimator,
    input_fn,
    receiver_fn,
    train,
    versions,
)


@pytest.fixture(autouse=True)
def fresh_count() -> None:
    Failing.runs.clear()


def latest(name: str) -> Any:
    return tf.estimator.LatestExporter(name, receiver_fn)


def export_all(exporter: OptimizingExporter, folder: Path, count: int) -> None:
    for _ in range(count):
        exporter.export(estimator=None, export_path=str(folder / exporter.name),
                        checkpoint_path="", eval_result={}, is_the_final_export=False)


def test_a_failing_transform_costs_only_that_slim_servable(tmp_path: Path, caplog: Any) -> None:
    exporters = [OptimizingExporter(latest("latest"), [LOSSLESS, Failing(at=(0,))])]
    trained = train(tmp_path, exporters, exports=3)
    originals = versions(tmp_path / "export/latest")
    assert trained.get_variable_value("global_step") == 12
    assert len(originals) >= 3
    assert versions(tmp_path / "export/latest-slim") == originals[1:]
    assert "the fuse is lit" in caplog.text


def test_a_failure_is_logged_with_the_transform_the_original_and_the_cause(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    exporter = OptimizingExporter(Prepared(trained, ["1700000001"]), ["fold_constants", Failing()])
    export_all(exporter, tmp_path, 1)
    logged = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(logged) == 1
    assert str(tmp_path / "latest/1700000001") in logged[0].getMessage()
    for part in ("failing", "fold_constants", "RuntimeError: the fuse is lit"):
        assert part in caplog.text


def test_a_failure_leaves_the_original_untouched_and_nothing_else_behind(
        trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(Prepared(trained, ["1700000001"]), [Failing()])
    export_all(exporter, tmp_path, 1)
    assert contents(tmp_path / "latest/1700000001") == contents(trained)
    assert not list(tmp_path.rglob("temp-*"))
    assert versions(tmp_path / "latest-slim") == []


def test_on_error_raise_ends_the_training(tmp_path: Path) -> None:
    exporters = [OptimizingExporter(latest("latest"), [Failing()], on_error="raise")]
    with pytest.raises(TransformError, match="failing.*the fuse is lit"):
        train(tmp_path, exporters)
    assert len(versions(tmp_path / "export/latest")) == 1
    assert versions(tmp_path / "export/latest-slim") == []


def test_what_the_wrapped_exporter_raises_passes_through(tmp_path: Path) -> None:
    exporter = OptimizingExporter(Prepared("/no/such/servable", ["1700000001"]))
    with pytest.raises(FileNotFoundError, match="/no/such/servable"):
        export_all(exporter, tmp_path, 1)


def test_a_file_where_the_slim_folder_should_be_is_logged_and_training_goes_on(
        tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "export").mkdir()
    obstacle = tmp_path / "export/latest-slim"
    obstacle.write_text("in the way")
    trained = train(tmp_path, [OptimizingExporter(latest("latest"), LOSSLESS)])
    assert trained.get_variable_value("global_step") == 8
    assert len(versions(tmp_path / "export/latest")) >= 2
    assert obstacle.read_text() == "in the way"
    assert f"{obstacle} cannot be written" in caplog.text


def test_an_exporter_that_returns_no_saved_model_is_logged(tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "note").mkdir()
    (tmp_path / "note/model.tflite").write_bytes(b"TFL3")
    exporter = OptimizingExporter(Prepared(str(tmp_path / "note"), ["1700000001"]))
    export_all(exporter, tmp_path, 1)
    assert "is no SavedModel" in caplog.text


def test_a_version_that_has_a_slim_twin_already_keeps_it(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    twin = tmp_path / "latest-slim/1700000001"
    twin.mkdir(parents=True)
    (twin / "mine").write_text("kept")
    export_all(OptimizingExporter(Prepared(trained, ["1700000001"])), tmp_path, 1)
    assert (twin / "mine").read_text() == "kept"
    assert "exists already" in caplog.text


def test_disabled_it_only_exports_the_original(trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(Prepared(trained, ["1700000001"]), enabled=False)
    export_all(exporter, tmp_path, 1)
    assert versions(tmp_path) == ["latest"]
    assert contents(tmp_path / "latest/1700000001") == contents(trained)


def test_the_suffix_names_the_slim_folder(trained: str, tmp_path: Path) -> None:
    exporter = OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS, suffix="_small")
    export_all(exporter, tmp_path, 1)
    assert versions(tmp_path) == ["latest", "latest_small", "latest_small-report"]
    assert versions(tmp_path / "latest_small") == ["1700000001"]


@pytest.mark.parametrize("names", [["1700000001", "1700000002", "1700000003"], ["1", "2", "3"]])
def test_the_twin_of_a_removed_version_goes_too_however_versions_are_named(
        trained: str, tmp_path: Path, names: list[str]) -> None:
    exporter = OptimizingExporter(Prepared(trained, names, keep=1), LOSSLESS)
    export_all(exporter, tmp_path, 3)
    assert versions(tmp_path / "latest-slim") == names[2:]


def test_the_twin_of_a_removed_version_goes_even_when_its_successor_fails(
        trained: str, tmp_path: Path) -> None:
    prepared = Prepared(trained, ["1700000001", "1700000002"], keep=1)
    export_all(OptimizingExporter(prepared, [Failing(at=(1,))]), tmp_path, 2)
    assert versions(tmp_path / "latest") == ["1700000002"]
    assert versions(tmp_path / "latest-slim") == []


def test_examples_that_disappear_cost_only_slim_servables_and_collection_goes_on(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    examples = tmp_path / "examples"
    examples.write_bytes(b"there when the exporter is built")
    prepared = Prepared(trained, ["1700000001", "1700000002"], keep=1)
    exporter = OptimizingExporter(prepared, LOSSLESS, verify_examples=examples)
    export_all(exporter, tmp_path, 1)
    assert versions(tmp_path / "latest-slim") == ["1700000001"]
    examples.unlink()
    export_all(exporter, tmp_path, 1)
    assert versions(tmp_path / "latest") == ["1700000002"]
    assert versions(tmp_path / "latest-slim") == []
    assert f"no slim servable of {tmp_path}/latest/1700000002" in caplog.text
    assert "verify_examples: expected a TFRecord file of tf.Examples that is there" in caplog.text


class Returning(tf.estimator.Exporter):
    """Exports nothing, and returns what it was told to."""

    name = "latest"

    def __init__(self, result: Any) -> None:
        self.result = result

    def export(self, *arguments: Any, **by_name: Any) -> Any:
        return self.result


@pytest.mark.parametrize("result", [b"/export/\xff/1", "/export/\udcff/1", "", 7], ids=repr)
def test_what_is_no_path_is_returned_as_it_is_and_logged(
        result: Any, tmp_path: Path, caplog: Any) -> None:
    exporter = OptimizingExporter(Returning(result))
    assert exporter.export(None, str(tmp_path), "", {}, False) == result
    assert [r.levelno for r in caplog.records if r.name == "absl"] == [logging.ERROR]
    with pytest.raises((OptionError, TypeError), match="[pP]ath"):
        OptimizingExporter(Returning(result), on_error="raise").export(
            None, str(tmp_path), "", {}, False)


def test_a_relative_path_in_a_folder_that_is_gone_is_logged(
        tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    os.rmdir(tmp_path / "gone")
    assert OptimizingExporter(Returning("export/1")).export(None, "", "", {}, False) == "export/1"
    assert "FileNotFoundError" in caplog.text


def test_disabled_it_does_not_look_for_examples(trained: str, tmp_path: Path, caplog: Any) -> None:
    examples = tmp_path / "examples"
    examples.write_bytes(b"there when the exporter is built")
    exporter = OptimizingExporter(Prepared(trained, ["1"]), enabled=False, verify_examples=examples)
    examples.unlink()
    export_all(exporter, tmp_path, 1)
    assert caplog.text == ""


@pytest.mark.parametrize("suffix", [None, "-slim", "_small"])
def test_two_around_one_exporter_need_suffixes_of_their_own(suffix: Any) -> None:
    inner = OptimizingExporter(latest("latest"), suffix=suffix)
    with pytest.raises(OptionError, match="same suffix.*give the outer one another suffix"):
        OptimizingExporter(inner, suffix=suffix)
    with pytest.raises(OptionError, match="same suffix"):
        OptimizingExporter(OptimizingExporter(inner, suffix="-other"), suffix=suffix)


def test_two_around_one_exporter_each_write_to_a_folder_of_their_own(
        trained: str, tmp_path: Path) -> None:
    inner = OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS)
    export_all(OptimizingExporter(inner, "strip_unused_nodes", suffix="-stripped"), tmp_path, 1)
    assert versions(tmp_path) == ["latest", "latest-slim", "latest-slim-report", "latest-stripped",
                                  "latest-stripped-report"]


def test_a_suffix_that_only_the_flag_makes_the_same_is_told_at_the_export(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    inner = OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS, suffix="-slim")
    export_all(OptimizingExporter(inner, LOSSLESS), tmp_path, 1)
    assert versions(tmp_path / "latest-slim") == ["1700000001"]
    assert "give the outer one another suffix" in caplog.text


def test_an_exporter_whose_parameters_are_keywords_only_works_as_it_does_unwrapped(
        trained: str, tmp_path: Path) -> None:
    class KeywordsOnly(Prepared):
        def export(self, **by_name: Any) -> str:
            return super().export(**by_name)

    export_all(OptimizingExporter(KeywordsOnly(trained, ["1700000001"])), tmp_path, 1)
    assert versions(tmp_path / "latest-slim") == ["1700000001"]


def test_what_is_no_version_is_never_removed(trained: str, tmp_path: Path) -> None:
    (tmp_path / "latest-slim/notes").mkdir(parents=True)
    (tmp_path / "latest-slim/README").write_text("mine")
    export_all(OptimizingExporter(Prepared(trained, ["1700000001"])), tmp_path, 1)
    assert versions(tmp_path / "latest-slim") == ["1700000001", "README", "notes"]


def test_a_servable_of_somebody_else_in_the_slim_folder_is_never_removed(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    shutil.copytree(trained, tmp_path / "latest-slim/1600000000")
    before = contents(tmp_path / "latest-slim/1600000000")
    exporter = OptimizingExporter(Prepared(trained, ["1700000001", "1700000002"], keep=1), LOSSLESS)
    export_all(exporter, tmp_path, 2)
    assert versions(tmp_path / "latest-slim") == ["1600000000", "1700000002"]
    assert contents(tmp_path / "latest-slim/1600000000") == before
    assert "1600000000 has no original and is no slim servable, so it stays" in caplog.text


def test_the_input_fn_is_called_as_the_estimator_calls_its_own(tmp_path: Path) -> None:
    seen = []

    def asked(mode: str = "train", params: Any = None, config: Any = None, batch: int = 2) -> Any:
        seen.append((mode, params, config.model_dir, batch))
        return input_fn()

    canned = estimator(str(tmp_path / "model"))
    trained = tf.estimator.Estimator(
        lambda features, labels, mode, params, config: canned.model_fn(features, labels, mode, config),
        config=canned.config, params={"batch_size": 4})
    trained.train(input_fn, steps=1)
    trained.evaluate(asked, steps=1)
    exporter = OptimizingExporter(latest("latest"), LOSSLESS, verify_input_fn=asked, verify="enforce")
    exporter.export(trained, str(tmp_path / "latest"), None, {}, False)
    assert seen == [("eval", {"batch_size": 4}, canned.model_dir, 2)] * 2
    assert len(versions(tmp_path / "latest-slim")) == 1


def test_only_exporters_can_be_wrapped() -> None:
    with pytest.raises(OptionError, match="wraps a tf.estimator.Exporter.*got str"):
        OptimizingExporter("best")


@pytest.mark.parametrize("argument, message", [
    ({"transforms": "fold_constnts"}, "column 1.*fold_constnts.*did you mean 'fold_constants'"),
    ({"transforms": 7}, "expected a text or a sequence.*got int"),
    ({"transforms": [b"fold_constants"]}, "expected texts and transforms, got b'fold_constants'"),
    ({"enabled": "no"}, "enabled: expected True or False, got 'no'"),
    ({"on_error": "ignore"}, "on_error: expected one of keep_original, raise, got 'ignore'"),
    ({"weights": "disk"}, "weights: expected one of auto, variables, constants, got 'disk'"),
    ({"suffix": ""}, "suffix: expected a text that is not empty"),
    ({"suffix": "/slim"}, "suffix: .*no '/'.*got '/slim'"),
], ids=str)
def test_a_wrong_argument_is_an_error_at_construction(argument: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        OptimizingExporter(latest("latest"), **argument)


def test_slim_versions_outlive_a_folder_of_originals_that_disappears(
        trained: str, tmp_path: Path, caplog: Any) -> None:
    prepared = Prepared(trained, ["1700000001", "1700000002"])
    export_all(OptimizingExporter(prepared, LOSSLESS, verify="off"), tmp_path, 1)
    losing = Then(prepared, lambda version: shutil.rmtree(version.parent))
    export_all(OptimizingExporter(losing, LOSSLESS, verify="off"), tmp_path, 1)
    assert versions(tmp_path / "latest-slim") == ["1700000001"]
    assert "may hold versions whose original is gone" in caplog.text
