"""--slim_imports: what a Python module makes known to TensorFlow is known wherever it is needed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import OptionError, optimize_saved_model
from tests.hostile.damage import edit, node_of
from tests.support.by_hand import servable, variable

v1 = tf.compat.v1

# What "doubled" is, only who imports this module knows, in whatever process.
LIBRARY = """
from tensorflow.python.ops import script_ops
def doubled(x):
    return 2 * x
known = script_ops._py_funcs
token = known.insert(doubled)
known._funcs["doubled"] = known._funcs[token.decode() if isinstance(token, bytes) else token]
"""


@pytest.fixture
def doubling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A servable that calls "doubled" by name, and a module `library_that_doubles` beside it."""
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        y = tf.numpy_function(lambda x: x, [x], tf.float32)
        return {"x": x}, {"y": tf.ensure_shape(y, [None]) * variable("half", np.float32(0.5))}
    source = servable(tmp_path, network)
    edit(Path(source), lambda meta_graph: setattr(
        node_of(meta_graph, "PyFunc").attr["token"], "s", b"doubled"))
    (tmp_path / "library_that_doubles.py").write_text(LIBRARY)
    (tmp_path / "library_of_old.py").write_text("raise RuntimeError('of 2.9')")
    monkeypatch.syspath_prepend(str(tmp_path))
    return source


def test_what_a_module_makes_known_is_known_in_the_process_that_asks(
        doubling: str, tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING, "absl"):
        report = optimize_saved_model(doubling, tmp_path / "slim", "", verify="require",
                                      imports=" library_that_doubles, json")
    assert report is not None and report.verification is not None and report.verification.passed
    assert report.verification.outputs and "asking in this one" not in caplog.text


@pytest.mark.parametrize("imports, message", [
    ("no_such_module", "imports: there is no Python module 'no_such_module'"),
    ("json.no_such_part", "there is no Python module 'json.no_such_part'"),
    ("json, ..", "there is no Python module '..'"), (7, "imports: expected names of Python modules"),
    (["library_of_old"], "imports: the module 'library_of_old' cannot be imported .RuntimeError")])
def test_a_module_that_is_not_there_is_an_error_that_names_the_argument(
        doubling: str, tmp_path: Path, imports: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        optimize_saved_model(doubling, tmp_path / "slim", imports=imports)
    assert not (tmp_path / "slim").exists()
