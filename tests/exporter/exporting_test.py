"""What OptimizingExporter promises to a person who trains: real runs of train_and_evaluate."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import OptimizingExporter
from tests.support.alike import assert_alike, assert_near
from tests.support.ask import ask_fresh
from tests.support.ask_v2 import ask_v2_fresh
from tests.support.training import LOSSLESS, contents, receiver_fn, requests, train, versions

NAMES = ("final", "latest", "best", "own")
EXPORTS = 3


class Recorded(tf.estimator.Exporter):
    """Passes everything on to an exporter, and keeps what it returned and what it had written."""

    def __init__(self, exporter: Any) -> None:
        self.exporter, self.results, self.written = exporter, [], {}

    @property
    def name(self) -> str:
        return self.exporter.name

    def export(self, *arguments: Any, **by_name: Any) -> Any:
        self.results.append(self.exporter.export(*arguments, **by_name))
        if self.results[-1] is not None:
            self.written[os.fsdecode(self.results[-1])] = contents(self.results[-1])
        return self.results[-1]


class EveryOther(tf.estimator.Exporter):
    """An exporter of the user's own: exports at every other evaluation, and returns a str."""

    name = "own"

    def __init__(self) -> None:
        self.calls = 0

    def export(self, estimator: Any, export_path: str, checkpoint_path: str, eval_result: Any,
               is_the_final_export: bool) -> Any:
        self.calls += 1
        if self.calls % 2 == 0:
            return None
        return os.fsdecode(estimator.export_saved_model(export_path, receiver_fn,
                                                        checkpoint_path=checkpoint_path))


@dataclass
class Run:
    """A run of train_and_evaluate: its export folder, and each exporter within and around slim."""

    folder: Path
    inner: dict[str, Recorded]
    outer: dict[str, Recorded]


@pytest.fixture(scope="module")
def run(tmp_path_factory: Any) -> Run:
    model_dir = tmp_path_factory.mktemp("run")
    wrapped = [tf.estimator.FinalExporter("final", receiver_fn),
               tf.estimator.LatestExporter("latest", receiver_fn, exports_to_keep=2),
               tf.estimator.BestExporter("best", receiver_fn), EveryOther()]
    inner = {exporter.name: Recorded(exporter) for exporter in wrapped}
    outer = {name: Recorded(OptimizingExporter(exporter, LOSSLESS))
             for name, exporter in inner.items()}
    train(model_dir, list(outer.values()), exports=EXPORTS)
    return Run(model_dir / "export", inner, outer)


@pytest.fixture(scope="module")
def last(run: Run) -> dict[str, tuple[str, str]]:
    """Name → (original, slim), the directories of the last version."""
    newest = {name: versions(run.folder / name)[-1] for name in NAMES}
    return {name: (str(run.folder / name / version), str(run.folder / f"{name}-slim" / version))
            for name, version in newest.items()}


@pytest.fixture(scope="module")
def answers(last: dict) -> dict:
    """Directory → what a fresh process with the Session API gets from it."""
    return ask_fresh({d: (d, [requests()]) for pair in last.values() for d in pair})


@pytest.fixture(scope="module")
def answers_v2(last: dict) -> dict:
    """Directory → what a fresh process with tf.saved_model.load gets from it."""
    return ask_v2_fresh([d for pair in last.values() for d in pair], requests())


@pytest.mark.parametrize("name", NAMES)
def test_it_has_the_wrapped_exporters_name(run: Run, name: str) -> None:
    assert run.outer[name].exporter.name == name


@pytest.mark.parametrize("name", NAMES)
def test_it_returns_what_the_wrapped_exporter_returned(run: Run, name: str) -> None:
    pairs = list(zip(run.outer[name].results, run.inner[name].results))
    assert len(pairs) >= EXPORTS
    assert all(outer is inner for outer, inner in pairs)


@pytest.mark.parametrize("name", ["final", "own"])
def test_none_passes_through(run: Run, name: str) -> None:
    assert None in run.outer[name].results


@pytest.mark.parametrize("name", NAMES)
def test_the_original_stays_byte_for_byte_as_it_was_written(run: Run, name: str) -> None:
    kept = [d for d in run.inner[name].written if Path(d).exists()]
    assert kept
    assert {d: contents(d) for d in kept} == {d: run.inner[name].written[d] for d in kept}


@pytest.mark.parametrize("name", NAMES)
def test_every_original_has_a_slim_twin_of_its_version_and_nothing_else_is_there(
        run: Run, name: str) -> None:
    assert versions(run.folder / f"{name}-slim") == versions(run.folder / name)


def test_the_collection_of_latest_exports_is_mirrored(run: Run) -> None:
    written = sorted(Path(d).name for d in run.inner["latest"].written)
    assert len(written) >= EXPORTS
    assert versions(run.folder / "latest-slim") == written[-2:]


@pytest.mark.parametrize("name", NAMES)
def test_every_version_has_its_record(run: Run, name: str) -> None:
    kept = sorted(f"{version}.{kind}" for version in versions(run.folder / name)
                  for kind in ("html", "json"))
    assert versions(run.folder / f"{name}-slim-report") == kept


def test_only_the_folders_of_exports_their_twins_and_records_are_in_the_export_folder(run: Run) -> None:
    assert versions(run.folder) == sorted(
        f"{name}{after}" for name in NAMES for after in ("", "-slim", "-slim-report"))


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_process_gets_the_originals_answers(last: dict, answers: dict, name: str) -> None:
    original, slim = (answers[d] for d in last[name])
    assert {signature for signature, _ in original} >= {"serving_default", "predict"}
    assert_alike(slim, original, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_tensorflow_2_process_gets_the_originals_answers(
        last: dict, answers_v2: dict, name: str) -> None:
    original, slim = (answers_v2[d] for d in last[name])
    assert {signature for signature, _ in original} >= {"serving_default", "predict"}
    assert_near(slim, original, atol=1e-5)
