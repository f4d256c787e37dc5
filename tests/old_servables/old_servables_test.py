"""Servables that TensorFlow 1.15 exported: slim they answer as they did, then and now.

What they are and how they were made: make_fixtures.py.
"""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from estimator_slim import SourceError, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from tests.old_servables.recording import load
from tests.support.alike import ROUNDED, assert_alike
from tests.support.ask import ask
from tests.support.lists import EXACT, LOSSY
from tests.support.processes import run_python
from tests.support.promised import files, meta_graph, signatures, table_initializers

EXPORTS = Path(__file__).parent / "exports"
GONE = {"beam_search", "boosted_trees"}  # with tf.contrib, and with the kernels for trees
UNLOADED = {"keras_simple_save"}  # by Python's loader, which looks at recorded shapes; servers do not
ALL = sorted({p.stem for p in EXPORTS.glob("*.zip")} - GONE)
NAMES = pytest.mark.parametrize("name", ALL)
SMALL_TABLES = {name: (text.replace("quantize_weights", "quantize_weights(minimum_size=40)"), near)
                for name, (text, near) in LOSSY.items() if name != "quantize_weights"}


@dataclass(frozen=True)
class Old:
    """An old servable, and what it was asked and answered in TensorFlow 1.15."""

    directory: str
    tags: list
    requests: list
    answers: dict

    def ask(self, directory: str) -> dict:
        """What the servable in `directory` answers to the same requests, here."""
        return ask(directory, self.requests, tags=self.tags, optimizer=False)


@pytest.fixture(scope="module")
def old(tmp_path_factory: Any) -> Callable[[str], Old]:
    """`old(name)`: the servable of that name, unpacked once."""
    @functools.cache
    def unpacked(name: str) -> Old:
        directory = tmp_path_factory.mktemp(name) / "1"
        with zipfile.ZipFile(EXPORTS / f"{name}.zip") as archive:
            archive.extractall(directory)
        return Old(str(directory), *load(str(EXPORTS / f"{name}.json")))
    return unpacked


@pytest.fixture(scope="module")
def answers(old: Callable) -> Callable[[str], dict]:
    """`answers(name)`: what the original answers here, asked once."""
    return functools.cache(lambda name: old(name).answers if name in UNLOADED
                           else old(name).ask(old(name).directory))


@pytest.fixture(scope="module")
def slim(old: Callable, tmp_path_factory: Any) -> Callable[[str, str], str]:
    """`slim(name, transforms)`: the optimized servable, made once."""
    @functools.cache
    def made(name: str, transforms: str) -> str:
        directory = str(tmp_path_factory.mktemp("slim") / "1")
        optimize_saved_model(old(name).directory, directory, transforms, tags=old(name).tags,
                             report="off")
        return directory
    return made


def in_turn(lists: list[str], each: int = 1) -> list[Any]:
    """Every servable with every list; one list for each servable, in turn, is tried always.

    Of servables only every so many-th is, if `each` says so.
    """
    always = {(name, lists[number % len(lists)]) for number, name in enumerate(ALL[::each])}
    return [pytest.param(name, key, marks=[] if (name, key) in always else [pytest.mark.long])
            for name in ALL for key in lists]


@NAMES
def test_the_original_answers_as_it_did_in_tensorflow_1(
        name: str, old: Callable, answers: Callable) -> None:
    assert_alike(answers(name), old(name).answers, **ROUNDED)


LOSSLESS = pytest.mark.parametrize("name, transforms", in_turn(["simplified", "recipe", "empty"]))


@LOSSLESS
def test_lossless_lists_change_no_answer(
        name: str, transforms: str, old: Callable, answers: Callable, slim: Callable) -> None:
    got = old(name).ask(slim(name, EXACT[transforms]))
    assert_alike(got, answers(name), **ROUNDED)
    assert_alike(got, old(name).answers, **ROUNDED)


@pytest.mark.parametrize("name, transforms", in_turn(list(SMALL_TABLES), each=2))
def test_lossy_lists_answer_nearly_the_same(
        name: str, transforms: str, old: Callable, answers: Callable, slim: Callable) -> None:
    text, near = SMALL_TABLES[transforms]
    got = old(name).ask(slim(name, text))
    assert_alike(got, answers(name), **near)
    assert_alike(got, old(name).answers, **near)


@LOSSLESS
def test_signatures_tables_and_assets_survive(
        name: str, transforms: str, old: Callable, slim: Callable) -> None:
    tags, before, after = old(name).tags, old(name).directory, slim(name, EXACT[transforms])
    assert signatures(after, tags) == signatures(before, tags)
    assert table_initializers(after, tags) == table_initializers(before, tags)
    assert files(after, "assets") == files(before, "assets")


@LOSSLESS
def test_operations_of_the_original_get_no_attribute_that_its_tensorflow_lacks(
        name: str, transforms: str, old: Callable, slim: Callable) -> None:
    """Servers older than the TensorFlow that slims refuse attributes that they do not know."""
    tags = old(name).tags
    exporter = meta_graph(old(name).directory, tags).meta_info_def.stripped_op_list
    known = {op.name: {attribute.name for attribute in op.attr} for op in exporter.op}
    for node in meta_graph(slim(name, EXACT[transforms]), tags).graph_def.node:
        named = {key for key in node.attr if not key.startswith("_")}
        assert named <= known.get(node.op, named), node.name


@pytest.mark.parametrize("name, verify", [("dnn_classifier_in_parts", "enforce"),
                                          ("several_tags", "off")])
def test_the_command_slims_them_in_a_process_of_its_own(
        name: str, verify: str, old: Callable, answers: Callable, tmp_path: Path) -> None:
    done = run_python("-m", "estimator_slim", "optimize", old(name).directory, tmp_path / "slim",
                      f"--tags={','.join(old(name).tags)}", f"--slim_verify={verify}",
                      f"--slim_transforms={EXACT['simplified']}")
    assert done.returncode == 0, done.stderr
    assert_alike(old(name).ask(str(tmp_path / "slim")), answers(name), **ROUNDED)


def test_operations_that_later_tensorflows_lack_are_named(old: Callable, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="beam_search.*GatherTree.*contrib"):
        optimize_saved_model(old("beam_search").directory, tmp_path / "slim", "")
    assert not list(tmp_path.iterdir())


def test_trees_that_only_old_tensorflows_run_go_along_and_are_loaded(
        old: Callable, slim: Callable) -> None:
    stored = tf.train.load_checkpoint(f"{old('boosted_trees').directory}/variables/variables")
    graph = read_servable(slim("boosted_trees", EXACT["simplified"])).graph
    at_load = [graph.nodes[name] for name in graph.ancestors(graph.interface.init_ops)]
    load, = (node for node in at_load if node.op == "BoostedTreesDeserializeEnsemble")
    serialized, = (graph.constant(i) for i in graph.nodes[load.input[2]].input)
    assert serialized == stored.get_tensor("boosted_trees:0_serialized")
