"""What lies where a servable was expected, in one sentence, and the way on.

    export/best      has versions; did you mean export/best/1700000000?
    model.tflite     is a model of TensorFlow Lite, ...

On this machine's disks it is found out without TensorFlow, so that a wrong path is told at once.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

from estimator_slim.errors import EstimatorSlimError, SourceError

GRAPH_FILES = ("saved_model.pb", "saved_model.pbtxt")
_PARTS = ("variables", "assets", "assets.extra")  # of a servable
_CHECKPOINT = (".index", ".meta", ".ckpt")
LOOKING = "estimator_slim looks at a store"  # the name of a thread
PATIENCE = 30  # seconds
_DEEPEST = 3    # folders between a model_dir and a version in it: export/best/1700000000
_MOST_NAMES = 5  # of a folder's content, in a message
_FILES = {
    (".h5", ".hdf5", ".keras"):
        "is a Keras model in a file; expected a servable. Load it with tf.keras.models.load_model, "
        "write it with tf.saved_model.save(model, 'DIR/1'), and give that folder",
    (".tflite",):
        "is a model of TensorFlow Lite, from which no servable can be made; give the SavedModel that it "
        "was converted from",
    (".pb", ".pbtxt"):
        "is a graph in a file, which has no signatures; expected the folder of an exported version. "
        "Export it as a SavedModel, and give that folder",
    (".zip", ".tar", ".gz", ".tgz"): "is an archive; unpack it, and give the folder that was in it",
}


def require_servable(directory: str) -> None:
    """Raises a SourceError that says what `directory` is, where it is no SavedModel."""
    if not is_servable(directory):
        raise SourceError(f"{directory} {_what_it_is(directory)}")


def is_servable(directory: str) -> bool:
    """Whether a SavedModel is in `directory`."""
    return any(_exists(os.path.join(directory, name)) for name in GRAPH_FILES)


def latest_in(folder: str) -> list[str]:
    """The latest version of each export in a folder of versions, of exports, or in a model_dir."""
    return _latest(folder, _DEEPEST)


def is_model_dir(folder: str) -> bool:
    """Whether an Estimator keeps its checkpoints in `folder`."""
    return any(one == "checkpoint" or one.endswith(".index") for one in _names(folder))


def require_reachable(path: str, error: type[EstimatorSlimError], seconds: int = PATIENCE) -> None:
    """Raises `error` where TensorFlow cannot look at a path of another file system, as `gs://`.

    Where nobody answers it would try again and again for minutes, and nothing can keep it from that. So
    it is left to do so in a thread of its own after `seconds`.
    """
    if "://" not in path:
        return
    import tensorflow as tf  # takes seconds
    looked: futures.Future[bool] = futures.Future()
    threading.Thread(target=_look, args=(path, looked), name=LOOKING, daemon=True).start()
    try:
        looked.result(timeout=seconds)
    except futures.TimeoutError as e:
        raise error(f"{path} did not answer within {seconds} s; check its name, the network and "
                    f"the credentials, or wait longer, as with patience={2 * seconds}") from e
    except tf.errors.UnimplementedError as e:
        scheme = path.partition("://")[0]
        raise error(f"{path}: TensorFlow knows no file system {scheme}:// here; install tensorflow-io "
                    "and give imports='tensorflow_io', or give a path on a disk") from e
    except tf.errors.OpError as e:
        why = " ".join(str(e.message).split())
        raise error(f"{path} cannot be reached ({why}); check its name, the network and the "
                    "credentials, or give a path on a disk") from e


def _look(path: str, looked: futures.Future[bool]) -> None:
    import tensorflow as tf
    try:
        looked.set_result(tf.io.gfile.exists(path))
    except BaseException as e:
        looked.set_exception(e)


def _what_it_is(path: str) -> str:
    if not _may_be_read(path):
        return "cannot be read; check that this user may read it, and the folders that it is in"
    if _is_folder(path):
        return _what_the_folder_is(path)
    if _exists(path):
        return _what_the_file_is(path)
    if _exists(f"{path}.index"):
        return _a_checkpoint(path)
    near = _did_you_mean(_like(path)) or "; expected the folder of an exported version"
    return f"is not there{near}"


def _what_the_file_is(path: str) -> str:
    folder, name = os.path.split(path)
    if name in GRAPH_FILES:
        return f"is the graph of a servable; expected its folder{_did_you_mean([folder or '.'])}"
    if name == "checkpoint" or name.endswith(_CHECKPOINT) or ".data-" in name:
        return _a_checkpoint(path)
    return next((told for ends, told in _FILES.items() if name.endswith(ends)),
                "is a file; expected the folder of an exported version")


def _what_the_folder_is(folder: str) -> str:
    found, (parent, name) = latest_in(folder), os.path.split(folder)
    if name in _PARTS and is_servable(parent):
        return f"is a part of a servable; expected its folder{_did_you_mean([parent])}"
    if is_model_dir(folder):
        return ("is a model_dir, in which an Estimator keeps its checkpoints; expected the folder of an "
                "exported version" + (_did_you_mean(found) or ". Nothing is exported in it: export with "
                                      "estimator.export_saved_model('DIR', ...)"))
    if found:
        return f"is a folder of versions; expected one of them{_did_you_mean(found)}"
    names = sorted(_names(folder))
    shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    found_there = f"found {shown}" if names else "and it is empty"
    return (f"is no SavedModel: expected saved_model.pb or saved_model.pbtxt in it, {found_there}; "
            "give the folder of one exported version")


def _a_checkpoint(path: str) -> str:
    return ("is a checkpoint, which has no signatures; expected the folder of an exported version, "
            "beside which a checkpoint is given as checkpoint='...'"
            f"{_did_you_mean(latest_in(os.path.dirname(path) or '.'))}")


def _latest(folder: str, depth: int) -> list[str]:
    names = sorted(one for one in _names(folder) if not one.startswith((".", "temp-")))
    versions = [one for one in names if one.isdigit() and is_servable(os.path.join(folder, one))]
    if versions:
        return [os.path.join(folder, max(versions, key=int))]
    paths = [os.path.join(folder, one) for one in names] if depth > 1 else []
    return [found for one in paths if _is_folder(one) for found in _latest(one, depth - 1)]


def _like(path: str) -> list[str]:
    """A path that is there and is spelled nearly so: of one whose parts are not there, [] for none."""
    parent, name = os.path.split(path)
    if not name or parent == path:
        return []
    parents = [parent] if not parent or _is_folder(parent) else _like(parent)
    near = [os.path.join(one, other) for one in parents
            for other in difflib.get_close_matches(name, _names(one or "."), 1)]
    return near or [found for one in parents for found in latest_in(one or ".")][:1]


def _did_you_mean(paths: list[str]) -> str:
    if not paths:
        return ""
    return f"; did you mean {' or '.join(paths[:_MOST_NAMES])}?"


# ---- this machine's disks, and other file systems


def _may_be_read(path: str) -> bool:
    if "://" in path:
        return True
    try:
        os.stat(path)
    except PermissionError:
        return False
    except OSError:
        return True
    return os.access(path, os.R_OK | os.X_OK if os.path.isdir(path) else os.R_OK)


def _exists(path: str) -> bool:
    return bool(_asked(path, os.path.exists, "exists"))


def _is_folder(path: str) -> bool:
    return bool(_asked(path, os.path.isdir, "isdir"))


def _names(folder: str) -> list[str]:
    """What is in a folder; nothing where it cannot be read."""
    return [one.rstrip("/") for one in _asked(folder, os.listdir, "listdir") or ()]


def _asked(path: str, here: Callable[[str], Any], there: str) -> Any:
    """What this machine says of a path, or TensorFlow's file system; None where that is an error."""
    if "://" not in path:
        with contextlib.suppress(OSError):
            return here(path)
        return None
    import tensorflow as tf
    with contextlib.suppress(tf.errors.OpError):
        return getattr(tf.io.gfile, there)(path)
    return None
