"""By which rules platforms find models in folders, written down in our own words.

Each was read in the platform's own sources: TensorFlow Serving's file_system_storage_path_source.cc,
`find_models` of SageMaker's container for TensorFlow, TFX 1.15.1's path_utils, io_utils and executors,
and Vertex AI's page on what its prebuilt containers load.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import tensorflow as tf

SERVING, EVALUATION = "Format-Serving", "Format-TFMA"  # folders in a model of TFX


def versions_of_tensorflow_serving(base_path: Path) -> set[int]:
    """The children whose name is an int64."""
    return {int(name) for name in os.listdir(base_path) if re.fullmatch(r"\s*[+-]?\d+\s*", name)}


def models_of_sagemaker(root: Path) -> set[str]:
    """The folders, anywhere below /opt/ml/model, with versions that hold a saved_model.pb."""
    def saved_models(path: str) -> Iterator[str]:
        for entry in os.scandir(path):
            if entry.is_dir():
                yield from saved_models(entry.path)
            elif entry.name == "saved_model.pb":
                yield entry.path
    parts = [os.path.relpath(path, root).split("/") for path in saved_models(str(root))]
    return {"/".join(one[:-2]) for one in parts if re.match(r"^\d+$", one[-2])}


def model_of_vertex(artifact_uri: str) -> str:
    """The model of an artifact_uri: the folder itself, which has to hold the graph."""
    if not tf.io.gfile.exists(os.path.join(artifact_uri, "saved_model.pb")):
        raise RuntimeError(f"{artifact_uri} holds no saved_model.pb")
    return artifact_uri


# ---- TFX


def only_one(folder: str) -> str:
    """The only file or folder in a folder."""
    names = tf.io.gfile.listdir(folder)
    if len(names) != 1:
        raise RuntimeError(f"Only one file per dir is supported: {folder}.")
    return os.path.join(folder, names[0].rstrip("/"))


def model_of_tfx(serving_model_dir: str) -> str:
    """The only version of the only export; without exports, the folder itself."""
    exports = os.path.join(serving_model_dir, "export")
    return only_one(only_one(exports)) if tf.io.gfile.exists(exports) else serving_model_dir


def copied(source: str, target: str, but: str = "") -> None:
    """Copies a folder over another, file by file; `but`: without the file of this name."""
    if tf.io.gfile.exists(target):
        tf.io.gfile.rmtree(target)
    for folder, _, names in tf.io.gfile.walk(source):
        tf.io.gfile.makedirs(folder.replace(source, target, 1))
        for name in names:
            if name != but:
                tf.io.gfile.copy(os.path.join(folder, name),
                                 os.path.join(folder.replace(source, target, 1), name))


class Tfx:
    """A pipeline's Trainer and Pusher: folders `model`, `model_run` and `pushed`, and their calls."""

    def __init__(self, root: Path, version: int = 1800000000) -> None:
        self.model, self.run, self.pushed = (str(root / one) for one in ("model", "model_run", "pushed"))
        self.version = version
        for folder in (self.model, self.run):
            os.makedirs(folder)

    def _arguments(self, output: str) -> Any:
        return SimpleNamespace(serving_model_dir=os.path.join(output, SERVING), model_run_dir=self.run,
                               eval_model_dir=os.path.join(output, EVALUATION), train_steps=4,
                               eval_steps=1, custom_config={})

    def train_by_run_fn(self, run_fn: Callable[[Any], None]) -> None:
        """As the GenericExecutor does it: `run_fn` fills the model's folder itself."""
        arguments = self._arguments(self.model)
        run_fn(arguments)
        if not tf.io.gfile.exists(arguments.serving_model_dir):
            raise RuntimeError("run_fn failed to generate model.")

    def train_by_trainer_fn(self, trainer_fn: Callable[[Any, Any], Any]) -> None:
        """As the Executor for Estimators does it: trains below `model_run`, and copies the model."""
        spec = trainer_fn(self._arguments(self.run), None)
        tf.estimator.train_and_evaluate(spec["estimator"], spec["train_spec"], spec["eval_spec"])
        copied(model_of_tfx(os.path.join(self.run, SERVING)), os.path.join(self.model, SERVING))

    def push(self) -> str:
        """Pushes the model for TensorFlow Serving to find; saved_model.pb comes last."""
        model = model_of_tfx(os.path.join(self.model, SERVING))
        target = os.path.join(self.pushed, str(self.version))
        copied(model, target, but="saved_model.pb")
        tf.io.gfile.copy(os.path.join(model, "saved_model.pb"), os.path.join(target, "saved_model.pb"))
        return target
