"""estimator_slim.beam.Optimize: what the pool does, wherever Beam does it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from estimator_slim import OptionError, RequirementError, load_report
from tests.support import many
from tests.support.training import contents

MISSING = "apache-beam is not installed"


def run(folder: Path, **options: Any) -> list[str]:
    """The outcomes, each with the path of its servable, sorted; written by the pipeline itself."""
    beam = pytest.importorskip("apache_beam", reason=MISSING)
    from apache_beam.options.pipeline_options import PipelineOptions

    from estimator_slim.beam import Optimize
    with beam.Pipeline(runner="DirectRunner", options=PipelineOptions([])) as pipeline:
        lines = (pipeline | beam.Create([str(folder / many.PATTERN)])
                 | Optimize(folder / "slim", relative_to=folder / "models", **options)
                 | beam.Map(lambda report: f"{report.outcome} {report.source}"))
        lines | beam.io.WriteToText(str(folder / "told"), shard_name_template="")  # noqa: B018
    return sorted((folder / "told").read_text().splitlines())


@pytest.mark.parametrize("count", [3, pytest.param(50, marks=pytest.mark.long)])
def test_all_but_the_broken_one_are_done_and_a_second_pipeline_changes_nothing(
        tmp_path: Path, count: int) -> None:
    models = many.make(tmp_path, count)
    many.break_one(models[1])
    told = run(tmp_path)
    assert told == sorted(f"{'failed' if number == 1 else 'published'} {model}"
                          for number, model in enumerate(models))
    kept = tmp_path / f"slim/m00/export/best-report/{many.VERSION}.json"
    assert load_report(kept).source == str(models[0])
    before = contents(tmp_path / "slim/m00")
    assert run(tmp_path) == told
    assert contents(tmp_path / "slim/m00") == before


@pytest.mark.parametrize("arguments, wrong", [
    ({"out": "slim"}, "out and relative_to: expected both"),
    ({"bits": 5}, "bits: expected 4, 8 or 16"),
    ({"jobs": 2}, "jobs: expected an option of optimize_saved_model for many servables")], ids=str)
def test_what_is_wrong_is_an_error_where_the_pipeline_is_built(arguments: dict, wrong: str) -> None:
    pytest.importorskip("apache_beam", reason=MISSING)
    from estimator_slim.beam import Optimize
    with pytest.raises(OptionError, match=wrong):
        Optimize(**arguments)


def test_without_beam_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    monkeypatch.delitem(sys.modules, "estimator_slim.beam", raising=False)
    with pytest.raises(RequirementError, match=r"apache-beam, or 'estimator-slim\[beam\]'"):
        import estimator_slim.beam  # noqa: F401
