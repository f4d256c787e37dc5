"""What version 0.1.0 of estimator_slim has published goes on being recognised.

`version_0_1.zip` holds `best/` and `best-slim/` of two exports, with 8 and with 4 bits, as commit
3a91cd6 wrote them.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import OptimizingExporter, SourceError, optimize_saved_model
from tests.support.processes import run_python

VERSIONS = ("1700000001", "1700000002")
LISTS = ("quantize_weights", "quantize_weights(bits=4)")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """The export folder of that version."""
    with zipfile.ZipFile(Path(__file__).with_name("version_0_1.zip")) as archive:
        archive.extractall(tmp_path / "export")
    return tmp_path / "export"


class Copying(tf.estimator.Exporter):
    """Exports a copy of the original as the next version, and removes an older one."""

    name = "best"

    def export(self, estimator: Any, export_path: str, *_: Any, **__: Any) -> str:
        made = Path(export_path, "1700000003")
        shutil.copytree(Path(export_path, VERSIONS[1]), made)
        shutil.rmtree(Path(export_path, VERSIONS[0]))
        return str(made)


def test_a_version_whose_original_is_gone_is_withdrawn_and_others_stay(export: Path) -> None:
    OptimizingExporter(Copying(), "quantize_weights").export(
        estimator=None, export_path=str(export / "best"), checkpoint_path="", eval_result={},
        is_the_final_export=False)
    assert sorted(p.name for p in (export / "best-slim").iterdir()) == [VERSIONS[1], "1700000003"]


@pytest.mark.parametrize("version, transforms", zip(VERSIONS, LISTS))
def test_it_compares_with_its_original(export: Path, version: str, transforms: str) -> None:
    done = run_python("-m", "estimator_slim", "compare", "--no-memory", export / "best" / version,
                      export / "best-slim" / version, f"--slim_transforms={transforms}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verified: 1 signature" in done.stdout


def test_a_slim_servable_is_refused_as_a_source(export: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a slim servable.*expected an original.*Optimize"):
        optimize_saved_model(export / "best-slim" / VERSIONS[0], tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_one_that_is_written_now_is_refused_alike(export: Path, tmp_path: Path) -> None:
    optimize_saved_model(export / "best" / VERSIONS[0], tmp_path / "slim", "")
    with pytest.raises(SourceError, match="is a slim servable"):
        optimize_saved_model(tmp_path / "slim", tmp_path / "again", "")
