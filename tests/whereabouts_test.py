"""What is given in place of a servable is told in one sentence, with the way on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from estimator_slim import EstimatorSlimError, SourceError, optimize_saved_model
from estimator_slim.cli import exit_codes, main
from estimator_slim.whereabouts import latest_in, require_servable

VERSION = "export/best/1700000000"
OLDER = "export/best/1600000000"
CHECKPOINT = "which has no signatures; expected the folder of an exported version, beside which a " \
    "checkpoint is given as {checkpoint}; did you mean {version}?"
WRONG = {
    "export/best/1700000001": "is not there; did you mean {version}?",
    "export/bset/1700000000": "is not there; did you mean {version}?",
    "exprt": "is not there; did you mean {root}/export?",
    "export/best": "is a folder of versions; expected one of them; did you mean {version}?",
    "export": "is a folder of versions; expected one of them; did you mean {version} or "
              "{root}/export/latest/3?",
    "": "is a model_dir, in which an Estimator keeps its checkpoints; expected the folder of an "
        "exported version; did you mean {version} or {root}/export/latest/3?",
    "young": "is a model_dir, in which an Estimator keeps its checkpoints; expected the folder of an "
             "exported version. Nothing is exported in it: export with "
             "estimator.export_saved_model('DIR', ...)",
    "model.ckpt-9": f"is a checkpoint, {CHECKPOINT}".replace("?", " or {root}/export/latest/3?"),
    "model.ckpt-9.index": f"is a checkpoint, {CHECKPOINT}".replace("?", " or {root}/export/latest/3?"),
    f"{VERSION}/saved_model.pb":
        "is the graph of a servable; expected its folder; did you mean {version}?",
    f"{VERSION}/variables": "is a part of a servable; expected its folder; did you mean {version}?",
    "frozen.pb": "is a graph in a file, which has no signatures; expected the folder of an exported "
                 "version. Export it as a SavedModel, and give that folder",
    "model.h5": "is a Keras model in a file; expected a servable. Load it with "
                "tf.keras.models.load_model, write it with tf.saved_model.save(model, 'DIR/1'), and "
                "give that folder",
    "model.tflite": "is a model of TensorFlow Lite, from which no servable can be made; give the "
                    "SavedModel that it was converted from",
    "model.tar.gz": "is an archive; unpack it, and give the folder that was in it",
    "notes.txt": "is a file; expected the folder of an exported version",
    "empty": "is no SavedModel: expected saved_model.pb or saved_model.pbtxt in it, and it is empty; "
             "give the folder of one exported version",
    "docs": "is no SavedModel: expected saved_model.pb or saved_model.pbtxt in it, found a.txt, "
            "b.txt; give the folder of one exported version",
}
WRONG["model.keras"] = WRONG["model.h5"]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: Any) -> str:
    root = tmp_path_factory.mktemp("model")
    for file in (f"{VERSION}/saved_model.pb", f"{VERSION}/variables/variables.index",
                 f"{OLDER}/saved_model.pb", "export/best/temp-1/saved_model.pb",
                 "export/latest/3/saved_model.pbtxt", "checkpoint", "model.ckpt-9.index",
                 "young/checkpoint", "docs/a.txt", "docs/b.txt", "frozen.pb", "model.h5", "model.keras",
                 "model.tflite", "model.tar.gz", "notes.txt"):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "empty").mkdir()
    return str(root)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Where the tests may read everything, they do not in here."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def told(model_dir: str, wrong: str, checkpoint: str) -> str:
    """What is to be said of the path `wrong` in the folder."""
    sentence = WRONG[wrong].replace("{root}", model_dir).replace("{checkpoint}", checkpoint)
    return f"{os.path.join(model_dir, wrong)} ".replace("/ ", " ") + sentence.replace(
        "{version}", f"{model_dir}/{VERSION}")


@pytest.mark.parametrize("wrong", WRONG)
def test_each_is_told_in_python(model_dir: str, wrong: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as raised:
        optimize_saved_model(os.path.join(model_dir, wrong), tmp_path / "slim")
    assert str(raised.value) == told(model_dir, wrong, "checkpoint='...'")


@pytest.mark.parametrize("wrong", WRONG)
def test_each_is_told_in_a_shell(model_dir: str, wrong: str, tmp_path: Path, capsys: Any) -> None:
    code = main(["optimize", os.path.join(model_dir, wrong), str(tmp_path / "slim")])
    printed = capsys.readouterr()
    assert (code, printed.out) == (exit_codes.FAILED, "")
    assert printed.err == f"estimator-slim: {told(model_dir, wrong, '--checkpoint=...')}\n"


def test_a_folder_that_this_user_may_not_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "hers"
    folder.mkdir(mode=0o700)
    (folder / "saved_model.pb").touch()
    os.chmod(folder, 0)
    with as_nobody(), pytest.raises(SourceError) as raised:
        require_servable(str(folder))
    assert str(raised.value) == (f"{folder} cannot be read; check that this user may read it, and the "
                                 "folders that it is in")


def test_the_latest_version_is_the_highest_number(model_dir: str) -> None:
    assert latest_in(f"{model_dir}/export/best") == [f"{model_dir}/{VERSION}"]
    assert latest_in(f"{model_dir}/docs") == []


@pytest.mark.parametrize("away", ["s3://bucket/best/1", "hdfs://127.0.0.1:1/best/1"])
@pytest.mark.parametrize("argument", ["src", "dst"])
def test_what_no_file_system_of_tensorflow_reaches_is_told(
        argument: str, away: str, tmp_path: Path) -> None:
    paths = {"src": tmp_path / "best/1", "dst": tmp_path / "slim/1", argument: away}
    with pytest.raises(EstimatorSlimError, match=f"^{away}: TensorFlow knows no file system .* here; "
                       "install tensorflow-io and give imports='tensorflow_io'"):
        optimize_saved_model(**paths)
    assert not list(tmp_path.iterdir())
