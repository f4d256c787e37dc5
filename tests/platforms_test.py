"""What the README's table promises of each platform, by the platform's own rules for paths."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import OptimizingExporter, optimize_saved_model
from estimator_slim.saved_model import is_marked
from tests.faults.exporting import Prepared
from tests.readme_test import CODE, rows
from tests.support.platforms import (
    model_of_tfx,
    model_of_vertex,
    models_of_sagemaker,
    versions_of_tensorflow_serving,
)
from tests.support.training import LOSSLESS, versions

VERSIONS = ["1700000001", "1700000002"]
PLATFORMS = {name: (options, finds) for name, options, finds in rows("| platform ")}


def export(platform: str, trained: str, model_dir: Path, *, name: str = "best", opt: Path = Path("/opt"),
           keep: int = 2) -> None:
    """Two exports with the options of the platform's row; `opt` stands in for its `/opt`."""
    options = dict(re.fullmatch(r"--slim_(\w+)=(.*)", one).groups()  # type: ignore[union-attr]
                   for one in CODE.findall(PLATFORMS[platform][0]))
    given = {option: value.replace("/opt", str(opt)) for option, value in options.items()}
    wrapped = Prepared(trained, VERSIONS, keep=keep)
    wrapped.name = name
    exporter: Any = OptimizingExporter(wrapped, LOSSLESS, **given)
    for _ in VERSIONS:
        exporter.export(None, str(model_dir / "export" / name), "", {}, False)


def test_the_table_has_the_platforms_that_are_tried_here() -> None:
    assert list(PLATFORMS) == ["TensorFlow Serving", "TFX Trainer and Pusher", "SageMaker", "Vertex AI"]


def test_tensorflow_serving_finds_every_slim_version(trained: str, tmp_path: Path) -> None:
    export("TensorFlow Serving", trained, tmp_path)
    [base] = re.findall("--model_base_path=MODEL_DIR/([^`]+)", PLATFORMS["TensorFlow Serving"][1])
    assert versions_of_tensorflow_serving(tmp_path / base) == set(map(int, VERSIONS))
    assert all(is_marked(str(tmp_path / base / version)) for version in VERSIONS)


def test_tfx_finds_the_only_version_in_the_only_folder(trained: str, tmp_path: Path) -> None:
    export("TFX Trainer and Pusher", trained, tmp_path, keep=1)
    assert model_of_tfx(str(tmp_path)) == str(tmp_path / "export/best" / VERSIONS[1])
    assert is_marked(model_of_tfx(str(tmp_path)))
    assert versions(tmp_path) == ["export", "export-original"]


def test_sagemaker_finds_the_slim_servables_and_nothing_else(trained: str, tmp_path: Path) -> None:
    opt = tmp_path / "opt"
    export("SageMaker", trained, tmp_path / "checkpoints", name="Servo", opt=opt)
    assert models_of_sagemaker(opt / "ml/model") == {"export/Servo-slim"}
    assert versions(opt / "ml/model/export/Servo-slim") == VERSIONS
    assert versions(opt / "ml/model/export") == ["Servo-slim"]
    assert versions(opt / "ml/output/data") == ["Servo-slim-report"]


def test_vertex_finds_a_version_that_an_exporter_wrote(trained: str, tmp_path: Path) -> None:
    export("Vertex AI", trained, tmp_path)
    assert is_marked(model_of_vertex(str(tmp_path / "export/best-slim" / VERSIONS[1])))


@pytest.mark.parametrize("where", ["disk", "store"])
def test_vertex_finds_what_a_custom_job_writes_into_its_model_dir(
        trained: str, tmp_path: Path, where: str, monkeypatch: Any) -> None:
    shutil.copytree(trained, tmp_path / "best/7")
    store = f"ram://{uuid.uuid4().hex}"
    model_dir = store if where == "store" else str(tmp_path / "model")
    tf.io.gfile.makedirs(f"{model_dir}/model")
    monkeypatch.setenv("AIP_MODEL_DIR", f"{model_dir}/model/")  # with a slash, as Vertex sets it
    [call] = re.findall(r"`(optimize_saved_model\(.*?\))`", PLATFORMS["Vertex AI"][1])
    eval(call, {"optimize_saved_model": optimize_saved_model, "os": os,  # as the README has it
                "version": str(tmp_path / "best/7")})
    assert is_marked(model_of_vertex(os.environ["AIP_MODEL_DIR"].rstrip("/")))
    assert tf.io.gfile.listdir(model_dir) == ["model"]
