"""TensorBoard shows what became of each export, and nothing that reads events stumbles over it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import OptimizingExporter, load_report
from estimator_slim.events import events_folder, step_of, write_events, write_scalar
from estimator_slim.report import Report
from tests.faults.exporting import Prepared
from tests.support.failing import Failing
from tests.support.once import Once
from tests.support.training import LOSSLESS, STEPS, input_fn, receiver_fn, train, versions

CODES = "quantize_weights(minimum_size=1)"


def read(folder: Path) -> dict[str, list[tuple[int, Any]]]:
    """Tag → (step, value) as TensorBoard reads them: its scalars, texts and histograms."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0, "histograms": 0})
    events.Reload()
    tags = events.Tags()
    found = {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in tags["scalars"]}
    found |= {tag: [(one.step, one.histogram_value) for one in events.Histograms(tag)]
              for tag in tags["histograms"]}
    return found | {tag: [(one.step, one.tensor_proto.string_val[0].decode())
                          for one in events.Tensors(tag)] for tag in tags["tensors"]}


@pytest.fixture(scope="module")
def model_dir(once: Once) -> Path:
    """Of a training that was stopped and started again, with a BestExporter in either run."""
    def make(folder: Path) -> str:
        for exports in (1, 2):
            exporter = tf.estimator.BestExporter("best", receiver_fn, exports_to_keep=None)
            train(folder, [OptimizingExporter(exporter, CODES, verify="report",
                                              verify_input_fn=input_fn)], exports)
        return str(folder)
    return Path(once("restarted", make))


def test_a_training_that_starts_again_goes_on_to_export_its_best(model_dir: Path) -> None:
    slim = versions(model_dir / "export/best-slim")
    assert versions(model_dir / "export/best") == slim
    steps = [step for step, _ in read(model_dir / "slim/best")["published"]]
    assert steps == sorted(steps) and len(steps) == len(slim)
    assert min(steps) <= STEPS < max(steps)
    assert not any("slim" in name for name in os.listdir(model_dir / "eval"))


def test_each_export_is_told_with_its_step_as_its_record_says_it(model_dir: Path) -> None:
    found = read(model_dir / "slim/best")
    reports = [load_report(path)
               for path in sorted((model_dir / "export/best-slim-report").glob("*.json"))]
    told = {tag: [value for _, value in values] for tag, values in found.items()}
    assert told["bytes/original"] == [one.bytes_before for one in reports]
    assert told["bytes/slim"] == [one.bytes_after for one in reports]
    assert told["bytes/share of the original's"] == pytest.approx([one.ratio for one in reports])
    assert told["seconds"] == pytest.approx([one.seconds for one in reports])
    asked = [one.verification for one in reports]
    assert told["answers/agreement"] == pytest.approx([one.agreement for one in asked])
    assert told["answers/largest share of range"] == pytest.approx([one.largest_share for one in asked])
    [pair] = {(one.accuracy, one.slim_accuracy) for one in asked[-1].outputs if one.accuracy is not None}
    assert (told["accuracy/original"][-1], told["accuracy/slim"][-1]) == pytest.approx(pair)
    assert told["published"] == [1] * len(reports)
    for text, one in zip(told["summary"], reports):
        assert text.startswith(str(one)) and "    signature " in text


def test_histograms_tell_how_far_rows_are_off(model_dir: Path) -> None:
    found = read(model_dir / "slim/best")
    report = load_report(max((model_dir / "export/best-slim-report").glob("*.json")))
    [scores] = [one for one in report.verification.outputs
                if (one.signature, one.output) == ("predict", "probabilities")]
    _, told = found["row errors/predict/probabilities"][-1]
    assert told.num == sum(told.bucket) == scores.examples.rows
    assert told.bucket_limit[-1] == told.max == scores.examples.row_errors[-1] > 0
    of_weights = [tag for tag in found if tag.startswith("row errors of weights/")]
    assert len(of_weights) == len(report.steps[0].treated) == 1


def test_a_failure_is_told_without_bytes_of_what_is_not_there(trained: str, tmp_path: Path) -> None:
    export(OptimizingExporter(Prepared(trained, ["1700000001"]), [Failing()]), tmp_path)
    found = read(tmp_path / "slim/latest")
    assert found["published"] == [(7, 0)]
    assert found["summary"][0][1].startswith("no slim servable of ")
    assert not [tag for tag in found if tag.startswith("bytes")]


@pytest.mark.parametrize("background", [False, True], ids=["here", "background"])
def test_that_the_newest_version_has_no_twin_is_told_until_it_is_made_up_for(
        trained: str, tmp_path: Path, background: bool) -> None:
    exporter = OptimizingExporter(Prepared(trained, ["1700000001"]), LOSSLESS, background=background)
    obstacle = tmp_path / "latest-slim"
    obstacle.write_text("in the way")
    export(exporter, tmp_path, step=7, final=True)
    exporter = OptimizingExporter(Nothing(), LOSSLESS, background=background)
    for step in (8, 9):
        export(exporter, tmp_path, step=step, final=True)
    obstacle.unlink()
    for step in (10, 11):
        export(exporter, tmp_path, step=step, final=True)
    told = [(7, 1), (8, 1), (10, 0)]  # 8: first call after a restart
    assert read(tmp_path / "slim/latest")["newest version has no twin"] == told


def test_what_keeps_events_from_being_written_costs_no_servable(trained: str, tmp_path: Path) -> None:
    (tmp_path / "slim").write_text("in the way")
    export(OptimizingExporter(Prepared(trained, ["1700000001"])), tmp_path)
    assert versions(tmp_path / "latest-slim") == ["1700000001"]


def test_off_tells_tensorboard_nothing(trained: str, tmp_path: Path) -> None:
    export(OptimizingExporter(Prepared(trained, ["1700000001"]), report="off"), tmp_path)
    assert versions(tmp_path) == ["latest", "latest-slim"]


def test_exporters_around_one_exporter_are_two_runs() -> None:
    assert events_folder("/m", "best", "-slim") == "/m/slim/best"
    assert events_folder("/m", "best", "-tiny") == "/m/slim/best-tiny"


def test_the_step_is_that_of_the_evaluation_or_of_the_checkpoint() -> None:
    assert step_of({"global_step": np.int64(7)}, "/m/model.ckpt-6") == 7
    assert [step_of({}, "/m/model.ckpt-6"), step_of(None, None)] == [6, 0]


def test_a_hundred_exports_leave_nothing_open_and_are_all_read(tmp_path: Path) -> None:
    for step in range(100):
        write_events(str(tmp_path), step, Report("a", "b", seconds=step))
        write_scalar(str(tmp_path), step, "newest version has no twin", step % 2)
    assert not [path for path in open_files() if path.startswith(str(tmp_path))]
    found = read(tmp_path)
    assert found["seconds"] == [(step, step) for step in range(100)]
    assert found["newest version has no twin"] == [(step, step % 2) for step in range(100)]


def open_files() -> list[str]:
    """The paths of all that this process has open."""
    paths = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return paths


class _Estimator:
    """What an exporter asks of an Estimator here."""

    def __init__(self, model_dir: Path) -> None:
        self.model_dir = str(model_dir)


class Nothing(tf.estimator.Exporter):
    """Exports nothing."""

    name = "latest"

    def export(self, *_: Any, **by_name: Any) -> None:
        pass


def export(exporter: OptimizingExporter, folder: Path, *, step: int = 7, final: bool = False) -> None:
    exporter.export(estimator=_Estimator(folder), export_path=str(folder / exporter.name),
                    checkpoint_path="", eval_result={"global_step": step}, is_the_final_export=final)
