"""What optimize_saved_model promises on bad input: an error that says what, where and what to do.

In each case the source stays as it is and nothing is left where the destination should have been.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import (
    DestinationError,
    EstimatorSlimError,
    OptionError,
    SourceError,
    TransformError,
    optimize_saved_model,
)
from estimator_slim.transforms.base import Transform
from tests.support.training import contents


class Failing(Transform):
    """Fails always."""

    text_name = "failing"

    def rewrite(self, graph: Any) -> None:
        raise RuntimeError("the fuse is lit")


@pytest.fixture
def source(trained: str, tmp_path: Path) -> Path:
    """A servable of its own for each test, to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "source"))


@contextmanager
def refused(tmp_path: Path, error: type, message: str) -> Iterator[None]:
    """Expects `error` with `message` (a pattern), and every file and folder as it was."""
    before = contents(tmp_path)
    with pytest.raises(error, match=message) as raised:
        yield
    assert isinstance(raised.value, EstimatorSlimError)
    assert contents(tmp_path) == before


def truncate(path: Path, keep: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:int(len(data) * keep)])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def variables(source: Path, file: str) -> Path:
    return source / "variables" / file


INDEX, DATA = "variables.index", "variables.data-00000-of-00001"
DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (shutil.rmtree, "source is not there"),
    "empty folder": (lambda s: (shutil.rmtree(s), s.mkdir()), "source is no SavedModel: expected"),
    "a file": (lambda s: (shutil.rmtree(s), s.write_text("model")), "source is a file; expected"),
    "no graph": (lambda s: (s / "saved_model.pb").unlink(), "source is no SavedModel: expected"),
    "empty graph": (lambda s: (s / "saved_model.pb").write_bytes(b""), "no MetaGraph.*none at all"),
    "graph cut short": (lambda s: truncate(s / "saved_model.pb", 0.7), "source.*damaged.*again"),
    "graph of noise": (lambda s: (s / "saved_model.pb").write_bytes(bytes(range(255, 5, -1)) * 9),
                       "source: its saved_model file is damaged.*export it again"),
    "graph is a folder": (lambda s: ((s / "saved_model.pb").unlink(),
                                     (s / "saved_model.pb").mkdir()), "source.*saved_model"),
    "text graph damaged": (lambda s: ((s / "saved_model.pb").unlink(),
                                      (s / "saved_model.pbtxt").write_text("meta_graphs { x")),
                           "source: its saved_model file is damaged.*export it again"),
    "no variables": (lambda s: shutil.rmtree(s / "variables"), "source.*variable.*export it again"),
    "no index": (lambda s: variables(s, INDEX).unlink(), "source.*variable.*export it again"),
    "index cut short": (lambda s: truncate(variables(s, INDEX), 0.6), "variables.index.*again"),
    "empty index": (lambda s: variables(s, INDEX).write_bytes(b""), "variables.index.*again"),
    "index damaged": (lambda s: flip(variables(s, INDEX)), "variables.index.*again"),
    "no data": (lambda s: variables(s, DATA).unlink(), "data-00000-of-00001.*export.*again"),
    "data cut short": (lambda s: truncate(variables(s, DATA), 0.5), "data-00000.*expected.*again"),
    "data damaged": (lambda s: flip(variables(s, DATA)), "data-00000.*checksum.*export.*again"),
    "no asset": (lambda s: (s / "assets/vocabulary.txt").unlink(),
                 "source: its asset file assets/vocabulary.txt is missing; export it again"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_source_is_refused_and_nothing_is_left(
        source: Path, tmp_path: Path, damage: str) -> None:
    inflict, message = DAMAGE[damage]
    inflict(source)
    with refused(tmp_path, SourceError, message):
        optimize_saved_model(source, tmp_path / "slim")


def test_a_checkpoint_of_format_v1_is_refused_by_its_name(source: Path, tmp_path: Path) -> None:
    for file in (source / "variables").iterdir():
        file.unlink()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.get_variable("v", [2]).initializer)
        saver = tf.compat.v1.train.Saver(write_version=tf.compat.v1.train.SaverDef.V1)
        saver.save(session, str(source / "variables/variables"), None, None, None, False, False)
    with refused(tmp_path, SourceError, "variables/variables is a checkpoint of format V1, expected"):
        optimize_saved_model(source, tmp_path / "slim/1")


def test_a_missing_tag_is_refused_with_the_tags_there_are(source: Path, tmp_path: Path) -> None:
    with refused(tmp_path, SourceError, r"no MetaGraph tagged \['gpu', 'serve'\]; give "
                                        r"tags=\['serve'\]"):
        optimize_saved_model(source, tmp_path / "slim", tags=["serve", "gpu"])


@pytest.mark.parametrize("path", [b"/models/\xff/1", "/models/\udcff/1", "", b""], ids=repr)
@pytest.mark.parametrize("argument", ["src", "dst"])
def test_what_is_no_path_is_refused_by_the_name_of_its_argument(
        source: Path, tmp_path: Path, argument: str, path: Any) -> None:
    with refused(tmp_path, OptionError, f"^{argument}: expected a path.*(empty|rename the folder)"):
        optimize_saved_model(**{"src": source, "dst": tmp_path / "slim", argument: path})


@pytest.mark.parametrize("name", ["best[1]", "back\\slash", "[!a]"])
def test_a_folder_that_tensorflow_takes_for_a_pattern_is_refused_before_the_work(
        source: Path, tmp_path: Path, name: str) -> None:
    within = shutil.copytree(source, tmp_path / name / "1")
    message = r"TensorFlow takes \[...\] and .* for a pattern.*rename the folder"
    with refused(tmp_path, DestinationError, message):
        optimize_saved_model(source, tmp_path / name / "2", [Failing()])
    with refused(tmp_path, SourceError, message):
        optimize_saved_model(within, tmp_path / "slim", [Failing()], verify="enforce")
    with pytest.raises((ValueError, tf.errors.NotFoundError)):
        tf.saved_model.load(str(within))


@pytest.mark.parametrize("name", [
    "b e?t[1*{a,b}", *(pytest.param(name, marks=pytest.mark.long)
                      for name in ("best[1", "best]", "*", "{a,b}", "b e?t"))])
def test_a_folder_of_any_other_name_is_taken(source: Path, tmp_path: Path, name: str) -> None:
    within = shutil.copytree(source, tmp_path / name / "1")
    report = optimize_saved_model(within, tmp_path / name / "2", "", verify="enforce",
                                  weights="variables")
    assert report.verification.passed
    tf.saved_model.load(str(tmp_path / name / "2"))


@pytest.mark.parametrize("kind", ["folder", "folder of a folder", "file"])
def test_a_destination_that_exists_is_refused(source: Path, tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (tmp_path / "slim").write_text("mine")
    else:
        (tmp_path / "slim/mine").mkdir(parents=True)
        if kind == "folder":
            (tmp_path / "slim/mine").rmdir()
            (tmp_path / "slim/mine").write_text("mine")
    with refused(tmp_path, DestinationError, "slim exists already.*never overwritten; remove"):
        optimize_saved_model(source, tmp_path / "slim")


def test_an_empty_destination_is_filled(source: Path, tmp_path: Path) -> None:
    (tmp_path / "slim").mkdir()
    with pytest.raises(TransformError):
        optimize_saved_model(source, tmp_path / "slim", [Failing()])
    assert contents(tmp_path / "slim") == {}
    optimize_saved_model(source, tmp_path / "slim", "remove_device", report="off")
    assert "saved_model.pb" in contents(tmp_path / "slim")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slim", "source"]


@pytest.mark.parametrize("inside", ["", "/", "/slim", "/assets", "/../source/slim"])
def test_a_destination_inside_the_source_is_refused(
        source: Path, tmp_path: Path, inside: str) -> None:
    with refused(tmp_path, DestinationError, "is inside the original .*source.*outside of it"):
        optimize_saved_model(source, f"{source}{inside}")


def test_a_destination_inside_the_source_by_a_link_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source, target_is_directory=True)
    with refused(tmp_path, DestinationError, "is inside the original .*outside of it"):
        optimize_saved_model(source, tmp_path / "link/slim")


def test_a_file_where_the_destinations_folder_should_be_is_refused(
        source: Path, tmp_path: Path) -> None:
    (tmp_path / "export").write_text("in the way")
    with refused(tmp_path, DestinationError, "export cannot be written.*give a destination"):
        optimize_saved_model(source, tmp_path / "export/slim")


def test_a_failed_transform_is_named_with_those_before_it_and_what_to_do(
        source: Path, tmp_path: Path) -> None:
    with refused(tmp_path, TransformError, r"transform failing failed \(after strip_unused_nodes "
                                           r"remove_device\): RuntimeError: the fuse is lit\n"
                                           "Leave it out of the list, or give it ignore_errors="):
        optimize_saved_model(source, tmp_path / "slim",
                             ["strip_unused_nodes remove_device", Failing()])


def test_a_failure_in_a_new_folder_leaves_no_folder(source: Path, tmp_path: Path) -> None:
    with refused(tmp_path, TransformError, "the fuse is lit"):
        optimize_saved_model(source, tmp_path / "new/folder/slim", [Failing()])


def test_with_ignore_errors_a_failed_transform_is_left_out_and_reported(
        source: Path, tmp_path: Path) -> None:
    report = optimize_saved_model(source, tmp_path / "slim", [Failing(ignore_errors=True)])
    (skipped,) = report.steps[0].skipped
    assert "the fuse is lit" in skipped[1]
    assert (tmp_path / "slim/saved_model.pb").exists()


@pytest.mark.parametrize("damage", ["missing", "no data"])
def test_on_error_keep_original_logs_the_cause_and_returns_none(
        source: Path, tmp_path: Path, damage: str, caplog: Any) -> None:
    inflict, message = DAMAGE[damage]
    inflict(source)
    before = contents(tmp_path)
    assert optimize_saved_model(source, tmp_path / "slim", on_error="keep_original") is None
    assert "the original is as it was: " in caplog.text
    assert "Traceback" not in caplog.text
    assert str(source) in caplog.text
    after = contents(tmp_path)
    assert after.pop("slim-report.json", None)  # the record of what failed
    assert after.pop("slim-report.html", None)
    assert after == before
