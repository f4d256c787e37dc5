"""The contract of every transform, on every kind of servable: what is promised stays, every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from estimator_slim.errors import TransformError
from estimator_slim.graph.graph import Graph
from estimator_slim.graph.interface import Interface
from estimator_slim.transforms import TRANSFORMS, transform_list
from estimator_slim.transforms.base import Transform
from tests.support.alike import assert_alike
from tests.support.ask import Answers, ask
from tests.support.by_hand import slim
from tests.support.contract_cases import CASES, LOSSLESS, Case, frozen, transform, write_ranges
from tests.support.contract_servables import FIXTURES

PAIRS = [(name, fixture) for name in TRANSFORMS for fixture in CASES[name].fixtures or FIXTURES]
EACH = pytest.mark.parametrize("name", TRANSFORMS)
ON_EACH = pytest.mark.parametrize("fixture", FIXTURES)
EACH_ON_EACH = pytest.mark.parametrize("name, fixture", PAIRS)


def in_turn(share: int) -> list[Any]:
    """Every transform on every fixture; one of `share` fixtures, in turn, is tried always."""
    return [pytest.param(name, fixture, marks=[pytest.mark.long] if (turn + number) % share else [])
            for turn, name in enumerate(TRANSFORMS)
            for number, fixture in enumerate(CASES[name].fixtures or FIXTURES)]


EACH_ON_A_HALF = pytest.mark.parametrize("name, fixture", in_turn(2))
EACH_ON_A_THIRD = pytest.mark.parametrize("name, fixture", in_turn(3))


class Bench:
    """The fixtures' servables, graphs and answers, each made once."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._made: dict[tuple, Any] = {}

    def _once(self, key: tuple, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def source(self, fixture: str) -> str:
        return self._once(("source", fixture), lambda: FIXTURES[fixture].build(self._empty(fixture)))

    def _empty(self, name: str) -> Path:
        (self._folder / name).mkdir()
        return self._folder / name

    def graph(self, fixture: str, before: str = "") -> Graph:
        return self._once(("graph", fixture, before), lambda: frozen(self.source(fixture), before))

    def transform(self, name: str, graph: Graph) -> Transform:
        log = self._folder / "ranges.log"
        write_ranges(graph, log)
        return transform(name, graph, log)

    def apply(self, name: str, graph: Graph) -> Graph:
        return self.transform(name, graph).apply(graph)[0]

    def after(self, name: str, fixture: str) -> Graph:
        """The fixture's graph after the transform."""
        before = self.graph(fixture, CASES[name].before)
        return self._once(("after", name, fixture), lambda: self.apply(name, before))

    def again(self, name: str, fixture: str) -> tuple[bytes, dict, Graph]:
        """The graph before the transform, what it reads of weights, and the graph of a second run."""
        graph = self.graph(fixture, CASES[name].before)
        return self._once(("again", name, fixture), lambda: (
            written(graph), dict(graph.weights), self.apply(name, graph)))

    def answers(self, fixture: str) -> Answers:
        return self._once(("answers", fixture), lambda: ask(
            self.source(fixture), FIXTURES[fixture].requests, optimizer=False))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: Any) -> Bench:
    return Bench(tmp_path_factory.mktemp("contract"))


def written(graph: Graph) -> bytes:
    return graph.graph_def().SerializeToString(deterministic=True)


def promise(interface: Interface) -> tuple:
    """All of it but the names of nodes, which a rename changes."""
    signatures = {key: (s.method_name, *({k: (i.WhichOneof("encoding"), i.dtype, str(i.tensor_shape))
                                          for k, i in part.items()} for part in (s.inputs, s.outputs)))
                  for key, s in interface.signatures.items()}
    return signatures, [a.filename for a in interface.assets]


@EACH_ON_EACH
def test_what_is_promised_stays(name: str, fixture: str, bench: Bench) -> None:
    before, after = bench.graph(fixture).interface, bench.after(name, fixture).interface
    assert promise(after) == promise(before)
    assert len(after.init_ops) >= len(before.init_ops)
    assert len(after.tables) >= len(before.tables)
    if name != "rename_node":
        assert set(after.roots()) >= set(before.roots())


@EACH_ON_A_THIRD
def test_the_graph_it_is_given_stays_as_it_is(name: str, fixture: str, bench: Bench) -> None:
    before, weights, _ = bench.again(name, fixture)
    graph = bench.graph(fixture, CASES[name].before)
    assert written(graph) == before
    assert graph.weights == weights


@EACH_ON_A_THIRD
def test_two_runs_make_the_same_bytes(name: str, fixture: str, bench: Bench) -> None:
    _, _, again = bench.again(name, fixture)
    assert written(again) == written(bench.after(name, fixture))
    assert list(again.weights) == list(bench.after(name, fixture).weights)


@pytest.mark.parametrize("name, fixture", [p for p in PAIRS if not CASES[p[0]].not_idempotent])
def test_a_second_application_changes_nothing(name: str, fixture: str, bench: Bench) -> None:
    once = bench.after(name, fixture)
    assert written(bench.apply(name, once)) == written(once)


@EACH_ON_A_HALF
def test_answers_stay_within_the_bound(name: str, fixture: str, bench: Bench) -> None:
    case = CASES[name]
    if written(bench.after(name, fixture)) == written(bench.graph(fixture)):
        return  # the empty list's servable, which the next test asks
    one = bench.transform(name, bench.graph(fixture, case.before))
    assert_answers(bench, fixture, case, [*transform_list(case.before), one])


@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.long)])
@EACH
def test_any_other_may_come_after_it(name: str, long: bool, bench: Bench) -> None:
    """Each pair on one of two small servables; where it is long, on one of two canned Estimators too."""
    servables = ("dnn_v1_hash_mean", "linear_classifier_v1") if long else ("layers", "words")
    servables = tuple(one for one in servables if one in (CASES[name].fixtures or servables))
    for number, other in enumerate(TRANSFORMS):
        if other != name and not CASES[other].before:
            turn = (number + list(TRANSFORMS).index(name)) % len(servables)
            bench.apply(other, bench.after(name, servables[turn]))  # which checks what it makes


@ON_EACH
def test_answers_stay_where_no_transform_runs(fixture: str, bench: Bench) -> None:
    assert_answers(bench, fixture, Case(""), [])


def assert_answers(bench: Bench, fixture: str, case: Case, transforms: list) -> None:
    path, _ = slim(bench.source(fixture), transforms)  # type: ignore[arg-type]
    got = ask(path, FIXTURES[fixture].requests, optimizer=False)
    assert_alike(got, bench.answers(fixture), share=case.bound, least=1.0,
                 ties=0.0 if case.bound == LOSSLESS else None)  # what is lossy may decide otherwise


@pytest.mark.parametrize("name", [n for n in TRANSFORMS if not CASES[n].fits_any_graph])
def test_a_graph_that_has_nothing_for_it_comes_back_unchanged(name: str, bench: Bench) -> None:
    assert written(bench.after(name, "nothing")) == written(bench.graph("nothing"))


def test_a_log_of_ranges_that_fits_no_node_is_refused(tmp_path: Path, bench: Bench) -> None:
    log = tmp_path / "ranges.log"
    log.write_text(";gone__print__;__requant_min_max:[-1][1]\n", encoding="utf-8")
    [one] = transform_list(f"freeze_requantization_ranges(min_max_log_file={log})")
    with pytest.raises(TransformError, match="'gone'"):
        one.apply(bench.graph("nothing"))


@EACH
def test_the_text_form_is_read_back(name: str, bench: Bench) -> None:
    one = bench.transform(name, bench.graph("nothing"))
    assert transform_list(str(one)) == [one]


@EACH
def test_each_transform_has_something_to_do_somewhere(name: str, bench: Bench) -> None:
    if name in ("strip_unused_nodes", "backport_tensor_array_v3", "drop_untrained_rows"):
        return  # reading a servable strips it; TensorFlow 2 writes no graph of a version that old; there
                # is no training checkpoint here
    assert any(written(bench.after(name, fixture)) != written(bench.graph(fixture, CASES[name].before))
               for fixture in CASES[name].fixtures or FIXTURES)
