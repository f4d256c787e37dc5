"""What the tests of stores do, each in a process of its own.

    python -m tests.stores.steps NAME ARGUMENT ...    prints what the function returns, as JSON

TensorFlow's s3:// is tensorflow-io's, which aborts when a process ends. So these end without that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from tests.support.processes import ROOT

TRANSFORMS = "fold_constants quantize_weights"


def start(environment: Mapping[str, str], name: str, *arguments: Any) -> subprocess.Popen:
    """Starts a step; see `result`."""
    return subprocess.Popen([sys.executable, "-m", "tests.stores.steps", name, *map(str, arguments)],
                            env=dict(environment), cwd=ROOT, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def result(process: subprocess.Popen) -> Any:
    """What a step returned."""
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err[-4000:]
    return json.loads(out.splitlines()[-1])


def copy(source: str, target: str) -> None:
    """Copies a servable's files."""
    import tensorflow as tf
    for folder, _, names in tf.io.gfile.walk(source):
        for name in names:
            inside = os.path.relpath(os.path.join(folder, name), source)
            tf.io.gfile.copy(os.path.join(folder, name), os.path.join(target, inside))


def optimize(source: str, *destinations: str, verify: str = "off") -> list[str]:
    """Optimizes to each; "done", or the error."""
    import estimator_slim
    told = []
    for destination in destinations:
        try:
            estimator_slim.optimize_saved_model(source, destination, TRANSFORMS, verify=verify,
                                                weights="variables", imports="tensorflow_io")
            told.append("done")
        except estimator_slim.EstimatorSlimError as e:
            told.append(f"{type(e).__name__}: {e}")
    return told


def verified(source: str, destination: str) -> list[str]:
    """As `optimize`, and verified by asking both."""
    return optimize(source, destination, verify="enforce")


def poll(folder: str, count: str) -> dict[str, Any]:
    """Lists a folder and loads what is new, as TensorFlow Serving does, until `count` versions are.

    It polls as fast as it can. A version without saved_model.pb is one that Serving looks at again.
    """
    import tensorflow as tf
    loaded: list[str] = []
    failed, early, polls, deadline = [], 0, 0, time.monotonic() + 300
    while len(loaded) < int(count) and not failed and time.monotonic() < deadline:
        polls += 1
        for name in tf.io.gfile.listdir(folder) if tf.io.gfile.exists(folder) else []:
            version = name.rstrip("/")
            if not version.isdigit() or version in loaded:
                continue
            try:
                with tf.compat.v1.Session(graph=tf.Graph()) as session:
                    tf.compat.v1.saved_model.load(session, ["serve"], f"{folder}/{version}")
                loaded.append(version)
            except Exception as e:
                if "SavedModel file does not exist" in str(e):
                    early += 1
                else:
                    failed.append(f"{version}: {type(e).__name__}: {e}")
    return {"loaded": loaded, "failed": failed, "early": early, "polls": polls}


def train(model_dir: str, vocabulary_dir: str) -> list[str]:
    """Trains with an exporter in a store, keeping one version; the paths of all files of the exports."""
    import tensorflow as tf

    import estimator_slim
    from tests.support import training
    base = training.estimator(vocabulary_dir)
    estimator = tf.estimator.Estimator(base.model_fn, model_dir=model_dir,
                                       config=base.config.replace(model_dir=model_dir))
    exporter = estimator_slim.OptimizingExporter(
        tf.estimator.LatestExporter("latest", training.receiver_fn, exports_to_keep=1), TRANSFORMS,
        weights="variables", on_error="raise", imports="tensorflow_io")
    for steps in (2, 4):
        tf.estimator.train_and_evaluate(
            estimator, tf.estimator.TrainSpec(training.input_fn, max_steps=steps),
            tf.estimator.EvalSpec(training.input_fn, steps=1, exporters=[exporter], start_delay_secs=0,
                                  throttle_secs=0))
    root = f"{model_dir}/export"
    return sorted(os.path.relpath(os.path.join(folder, name), root)
                  for folder, _, names in tf.io.gfile.walk(root) for name in names)


if __name__ == "__main__":
    import tensorflow_io  # noqa: F401  s3://
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
    sys.stdout.flush()
    os._exit(0)
