"""Makes the servables in exports/, as TensorFlow 1.15 exported them, with what they answered there.

    python3.7 -m venv tf115
    tf115/bin/pip install tensorflow==1.15.5 'protobuf<3.21' 'numpy<1.19'
    tf115/bin/python -m tests.old_servables.make_fixtures [NAME...]

Without names it makes them all. Each is NAME.zip, the SavedModel's folder, and NAME.json, its answers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
HERE = os.path.dirname(os.path.abspath(__file__))
WORK = "/tmp/training"  # what the graphs say of where their assets lay

import tensorflow as tf  # noqa: E402

from tests.old_servables import (  # noqa: E402, F401
    builders,
    canned,
    contrib,
    control_flow,
    keras_exports,
    lookups,
)
from tests.old_servables.fixture import FIXTURES  # noqa: E402
from tests.old_servables.recording import save  # noqa: E402
from tests.support.ask import ask  # noqa: E402


def make(name: str) -> None:
    """Exports the fixture `name`, asks it and packs it."""
    fixture = FIXTURES[name]
    directory, target = os.path.join(WORK, name), os.path.join(HERE, "exports", name)
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    with tf.Graph().as_default():
        tf.compat.v1.set_random_seed(7)
        path = tf.compat.as_str(fixture.build(directory))
    answers = ask(path, fixture.requests, tags=fixture.tags)
    save(f"{target}.json", fixture.tags, fixture.requests, answers)
    _pack(path, f"{target}.zip")
    refusals = sum(isinstance(answer, str) for answer in answers.values())
    print(f"{name}: {len(answers)} answers, {refusals} of them refusals, "
          f"{os.path.getsize(f'{target}.zip')} bytes", flush=True)


def _pack(directory: str, path: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for folder, _, files in sorted(os.walk(directory)):
            for file in sorted(files):
                with open(os.path.join(folder, file), "rb") as content:
                    inside = os.path.relpath(content.name, directory)
                    archive.writestr(zipfile.ZipInfo(inside), content.read(), zipfile.ZIP_DEFLATED)


def main() -> None:
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    if len(sys.argv) == 2:
        make(sys.argv[1])
        shutil.rmtree(WORK)
    else:  # in processes of their own: random numbers follow from what was made before
        for name in sys.argv[1:] or FIXTURES:
            subprocess.run([sys.executable, "-m", "tests.old_servables.make_fixtures", name], check=True,
                           stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
