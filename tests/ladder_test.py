"""A list that does not pass is not the end: lists that change less are tried, until one passes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import VerificationError
from estimator_slim.ladder import Effect, Rung, more_precise, rungs
from estimator_slim.options import DEFAULT
from estimator_slim.transforms import transform_list
from tests.support.by_hand import answers, bytes_of, servable, slim, stored, v1, variable

ROWS = 9000
IDS = np.arange(ROWS)


def table(*shape: int, seed: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def steep(factor: float) -> Callable[[], Any]:
    """Two tables of which `wild` goes through a curve so steep that rounding it shows."""
    def network() -> Any:
        ids = v1.placeholder(tf.int64, [None], "ids")
        calm, wild = (variable(name, table(ROWS, 64, seed=n)) for n, name in enumerate(("calm", "wild")))
        x = tf.concat([tf.gather(calm, ids), tf.tanh(factor * tf.gather(wild, ids))], 1)
        return {"ids": ids}, {"y": tf.matmul(x, variable("kernel", table(128, 20)))}
    return network


def telling_where_it_lies(folder: Path) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """(network, main op) of a servable that answers with the length of its own path, wherever it is."""
    (folder / "asset.txt").write_text("nothing")

    def network() -> Any:
        path = tf.constant(str(folder / "asset.txt"), name="path")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, path)
        length = v1.get_variable("length", initializer=np.float32(0), trainable=False,
                                 collections=[v1.GraphKeys.LOCAL_VARIABLES], use_resource=True)
        v1.add_to_collection("at load", length.assign(tf.cast(tf.strings.length(path), tf.float32)))
        ids = v1.placeholder(tf.int64, [None], "ids")
        rows = tf.gather(variable("table", table(ROWS, 32)), ids)
        return {"ids": ids}, {"y": rows + length}
    return network, lambda: tf.group(v1.get_collection("at load"))


# ---- which lists there are


def listed(text: str, effects: dict[str, Effect]) -> list[tuple[str, str]]:
    return [(rung.name, str(rung)) for rung in rungs([transform_list(text)], lambda _: effects)]


def test_the_rungs_change_less_and_less() -> None:
    effects = {"table": Effect("4", 3.0), "other": Effect("4", 0.1)}
    assert listed("fold_constants quantize_weights(bits=4)", effects) == [
        ("as asked", "fold_constants quantize_weights(bits=4)"),
        ("more precise", "fold_constants quantize_weights(bits=4, weight=table:8)"),
        ("lossless", "fold_constants"),
        ("empty", "no transform")]


def test_what_is_lossy_but_no_code_goes_first() -> None:
    assert listed("quantize_nodes quantize_weights", {})[1:] == [
        ("more precise", "quantize_weights"), ("lossless", "no transform")]


@pytest.mark.parametrize("text, names", [
    ("", ["as asked"]), ("fold_constants", ["as asked", "empty"]),
    ("round_weights", ["as asked", "lossless"]), (DEFAULT, ["as asked", "lossless", "empty"])], ids=str)
def test_no_list_is_tried_twice(text: str, names: list[str]) -> None:
    assert [name for name, _ in listed(text, {})] == names


@pytest.mark.parametrize("effects, weights", [
    ({"a": Effect("8", 1.2)}, ("a:16",)),
    ({"a": Effect("8", 1.2), "b": Effect("8", 0.01)}, ("a:16",)),
    ({"a": Effect("4", 1.2), "b": Effect("4", 1.1)}, ("a:8", "b:8")),
    ({"a": Effect("4", 40.0)}, ("a:16",)),
    ({"a": Effect("16", 2.0)}, ("a:float",)),
    ({"a": Effect("4", 0.6), "b": Effect("4", 0.6)}, ("b:8",)),
    ({"a": Effect("8", 0.2)}, ())], ids=str)
def test_the_largest_errors_get_the_next_precision_until_the_rest_has_room(
        effects: dict[str, Effect], weights: tuple[str, ...]) -> None:
    (one,) = more_precise(transform_list("quantize_weights(bits=4)"), effects)
    assert one.weight == weights


def test_at_most_four_lists_are_tried() -> None:
    for text in (DEFAULT, "quantize_nodes fold_constants quantize_weights(bits=4) round_weights"):
        assert len(listed(text, {"a": Effect("8", 9.0)})) <= 4


# ---- what becomes of servables


@pytest.mark.parametrize("transforms, precision", [
    (DEFAULT, "16"), ("quantize_weights(weight=calm:16)", "16"),
], ids=["all with 8 bits", "one with 16 already"])
def test_the_weight_that_causes_the_difference_gets_more_bits_and_others_keep_theirs(
        tmp_path: Path, transforms: str, precision: str) -> None:
    path, report = slim(servable(tmp_path, steep(3000.0)), transforms, verify="enforce", fallback=True)
    assert [one.name for one in report.tried] == ["as asked", "more precise"]
    assert f"weight=wild:{precision}" in report.tried[1].transforms
    assert report.tried[1].transforms.count("calm:") == transforms.count("calm:")
    assert stored(path)["wild/codes"].dtype == np.float16
    assert report.tried[0].verification.failures and report.verification.passed


def test_where_no_precision_is_enough_nothing_is_coded(tmp_path: Path) -> None:
    source = servable(tmp_path, steep(3000.0))
    path, report = slim(source, DEFAULT, verify="enforce", fallback=True, max_error=1e-7,
                        min_agreement=1.0)
    assert report.verification.passed
    np.testing.assert_allclose(answers(path, {"ids": IDS})["y"], answers(source, {"ids": IDS})["y"],
                               rtol=0, atol=1e-4)
    assert "float" in report.tried[-1].transforms or report.tried[-1].name == "lossless"


def test_without_fallback_the_first_list_alone_is_tried(tmp_path: Path) -> None:
    with pytest.raises(VerificationError) as raised:
        slim(servable(tmp_path, steep(3000.0)), DEFAULT, verify="enforce", fallback=False)
    assert [one.name for one in raised.value.report.tried] == ["as asked"]


def test_with_report_the_first_list_is_published(tmp_path: Path) -> None:
    path, report = slim(servable(tmp_path, steep(3000.0)), DEFAULT, verify="report", fallback=True)
    assert [one.name for one in report.tried] == ["as asked"]
    assert not report.verification.passed
    assert bytes_of(path) < 1_400_000


def test_where_not_even_no_transform_passes_no_transform_is_blamed(tmp_path: Path) -> None:
    network, at_load = telling_where_it_lies(tmp_path)
    source = servable(tmp_path, network, main_op=at_load)
    with pytest.raises(VerificationError, match="no transform is to blame") as raised:
        slim(source, DEFAULT, verify="enforce", fallback=True)
    assert [one.name for one in raised.value.report.tried] == ["as asked", "lossless", "empty"]
    assert not list(tmp_path.glob("slim-*/1"))


def test_a_list_that_passes_is_the_only_one(tmp_path: Path) -> None:
    _, report = slim(servable(tmp_path, steep(1.0)), DEFAULT, verify="enforce", fallback=True)
    assert [(one.name, one.byte_count) for one in report.tried] == [("as asked", report.bytes_after)]


def test_what_is_tried_and_why_it_fell_is_logged(tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level("WARNING", "absl"):
        slim(servable(tmp_path, steep(3000.0)), "quantize_weights", verify="enforce", fallback=True)
    (line,) = [message for message in map(logging.LogRecord.getMessage, caplog.records)
               if "does not answer as its original" in message]
    assert "with quantize_weights (as asked)" in line and "output 'y'" in line
    assert "where 0.05 is allowed" in line


# ---- single weights with another precision


def test_a_weight_is_coded_with_the_bits_that_are_given_for_it(tmp_path: Path) -> None:
    path, report = slim(servable(tmp_path, steep(1.0)), verify="off", transforms=
                        'quantize_weights(bits=4, weight="wild:16", weight=kernel:float, weight=no:8)')
    dtypes = {key: value.dtype for key, value in stored(path).items() if key.endswith("codes")}
    assert dtypes == {"calm/codes": np.uint8, "wild/codes": np.float16}
    assert ("no", "there is no weight of this name") in report.steps[0].skipped


def test_the_measuring_graph_answers_as_either_servable(tmp_path: Path) -> None:
    """With every choice False as the original, with every choice True as the coded servable."""
    from estimator_slim.freezing import freeze
    from estimator_slim.saved_model import read_servable, write_servable
    from estimator_slim.transforms import CHOICES, place_weights, with_choices
    source = servable(tmp_path, steep(30.0))
    original = read_servable(source)
    frozen = freeze(original)
    (quantize,) = transform_list("quantize_weights")
    graph, coded = with_choices(frozen, quantize.apply(frozen)[0])
    (tmp_path / "both").mkdir()
    write_servable(place_weights(graph, "auto"), original, str(tmp_path / "both"))
    whole, _ = slim(source, "quantize_weights", verify="off")
    assert [one.name for one in coded] == ["calm", "wild"]
    for choice, like in ((False, source), (True, whole)):
        got = answers(str(tmp_path / "both"), {"ids": IDS, CHOICES: np.full(len(coded), choice)})
        np.testing.assert_array_equal(got["y"], answers(like, {"ids": IDS})["y"])


def test_rungs_are_told_by_their_lists() -> None:
    assert str(Rung("empty", ())) == "no transform"
