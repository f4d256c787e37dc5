"""insert_logging and freeze_requantization_ranges: a servable that logs, one that need not measure."""

from __future__ import annotations

import os
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.errors import OptionError, TransformError
from estimator_slim.transforms import TRANSFORMS
from tests.support.alike import assert_same_answers
from tests.support.by_hand import (
    answers,
    reasons,
    request_nodes,
    request_ops,
    servable,
    slim,
    v1,
    variable,
)
from tests.support.old_control_flow import old_control_flow

KERNEL = np.random.default_rng(3).normal(size=(3, 4)).astype(np.float32)
X = np.random.default_rng(4).normal(size=(40, 3)).astype(np.float32)
RANGES = 'insert_logging(op=RequantizationRange, show_name=true, message="__requant_min_max:")'


def dense() -> Any:
    x = v1.placeholder(tf.float32, [None, 3], "x")
    y = tf.nn.relu(tf.matmul(x, variable("kernel", KERNEL), name="product"))
    best = tf.math.top_k(y, 2, name="best")
    return {"x": x}, {"y": y * 2.0, "which": best.indices + 1}


def range_log(folder: Path, *lines: str) -> Path:
    path = folder / "made.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_values_are_logged_as_they_are_computed_and_answers_stay(tmp_path: Path, capfd: Any) -> None:
    source = servable(tmp_path, dense)
    path, _ = slim(source, 'insert_logging(op=MatMul, show_op=true, show_name=true, '
                           'message="values: ", summarize=2, first_n=1)')
    capfd.readouterr()
    answers(path, {"x": X[:1]}, {"x": X[1:2]})
    log = capfd.readouterr().err
    [values] = re.findall(r";MatMul;;product__print__;values: \[\[?(.*?)\]", log)
    first = (X[:1] @ KERNEL)[0, :2]
    np.testing.assert_allclose([float(v) for v in values.split("...")[0].split()], first, rtol=1e-5)
    assert_same_answers(path, source, {"x": X}, {"x": X[:0]})


@pytest.mark.parametrize("options, logged", [
    ("(op=MatMul)", {"product"}), ("(prefix=pro)", {"product"}), ("(op=Relu, prefix=pro)", set()),
    ("(op=MatMul, op=Relu)", {"product", "Relu"}), ("(op=Placeholder)", set()),
])
def test_only_the_nodes_that_are_named_are_logged(tmp_path: Path, options: str, logged: set) -> None:
    source = servable(tmp_path, dense)
    path, _ = slim(source, "insert_logging" + options)
    prints = {n.name for n in request_nodes(path) if n.op == "Print"}
    assert prints == {f"{name}__print__" for name in logged}
    assert_same_answers(path, source, {"x": X})


@pytest.mark.parametrize("kind", ["control_flow_v2", "old control flow"])
def test_logging_everything_changes_no_answer(tmp_path: Path, kind: str) -> None:
    def network() -> Any:
        inputs, outputs = dense()
        x = inputs["x"]
        state = v1.get_variable("state", initializer=1.0, use_resource=False)
        table = v1.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(
            tf.constant([0, 1], tf.int64), ["zero", "one"]), "?")
        with tf.control_dependencies([v1.assert_less(x, 50.0)]):
            checked = tf.identity(x)
        outputs["total"] = v1.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v + x),
                                         [0, checked])[1]
        outputs["sign"] = v1.cond(tf.reduce_sum(x) > 0, lambda: tf.constant(1.0), lambda: x[0, 0])
        outputs["text"] = table.lookup(tf.cast(x[:, 0] > 0, tf.int64))
        outputs["count"] = v1.assign_add(state, 1.0)
        return inputs, outputs

    with old_control_flow() if kind == "old control flow" else nullcontext():
        source = servable(tmp_path, network)
    path, report = slim(source, "insert_logging")
    assert request_ops(path)["Print"] > 5
    assert_same_answers(path, source, {"x": X}, {"x": -X}, {"x": X * 1000})
    assert "its output is a handle, not a value" in reasons(report)
    assert ("it directs a branch or a loop" in reasons(report)) == (kind == "old control flow")


def test_what_only_a_signature_reads_is_not_logged_and_the_report_says_why(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        return {"x": x}, {"y": tf.identity(tf.nn.relu(x), "last")}

    _, report = slim(servable(tmp_path, network), "insert_logging(op=Identity)")
    assert reasons(report) == "last: no node reads its first output"


def test_measured_ranges_are_replaced_by_those_that_were_logged(tmp_path: Path, capfd: Any) -> None:
    source = servable(tmp_path, dense)
    logging, _ = slim(source, f"quantize_nodes {RANGES}")
    capfd.readouterr()
    answers(logging, *({"x": X[n:n + 4]} for n in range(0, 40, 4)))
    log = range_log(tmp_path, capfd.readouterr().err)
    measuring, _ = slim(source, "quantize_nodes")
    frozen, _ = slim(source, "quantize_nodes freeze_requantization_ranges("
                             f"min_max_log_file={log}, min_percentile=0, max_percentile=0)")
    assert request_ops(measuring)["RequantizationRange"] > 0
    assert request_ops(frozen)["RequantizationRange"] == 0
    wanted = answers(source, {"x": X})["y"]
    # Eight bits of the inputs, of the kernel and of the product: half a step of each, and their sum.
    np.testing.assert_allclose(answers(frozen, {"x": X})["y"], wanted, rtol=0,
                               atol=0.02 * np.abs(wanted).max())


def test_the_least_and_the_greatest_are_left_out_by_percentiles(tmp_path: Path) -> None:
    source = servable(tmp_path, dense)
    measuring, _ = slim(source, "quantize_nodes")
    [name] = [n.name for n in request_nodes(measuring) if n.op == "RequantizationRange"]
    log = range_log(tmp_path, "something else;", *(
        f"I0 logging_ops.cc:79] ;{name}__print__;__requant_min_max:[{-n}][{n}]" for n in range(1, 11)))
    frozen, _ = slim(source, f"quantize_nodes freeze_requantization_ranges(min_max_log_file={log}, "
                             "min_percentile=20, max_percentile=30)")
    values = {n.name.rsplit("/", 1)[-1]: tf.make_ndarray(n.attr["value"].tensor)
              for n in request_nodes(frozen) if "/frozen_" in n.name}
    assert values == {"frozen_min": -8.0, "frozen_max": 8.0}


@pytest.mark.parametrize("lines, message", [
    (("nothing here",), "has no ranges; make it with insert_logging"),
    ((";gone__print__;__requant_min_max:[-1][1]",), "has the range of 'gone'"),
    ((";x__print__;__requant_min_max:[-1][1]",), "has the range of 'x'"),
])
def test_a_log_of_another_servable_is_an_error_that_names_it(
        tmp_path: Path, lines: tuple, message: str) -> None:
    log = range_log(tmp_path, *lines)
    with pytest.raises(TransformError, match=message):
        slim(servable(tmp_path, dense),
             f"quantize_nodes freeze_requantization_ranges(min_max_log_file={log})")


def test_bytes_that_are_no_text_are_an_error_where_they_are_all_and_else_passed_over(
        tmp_path: Path) -> None:
    source, log = servable(tmp_path, dense), tmp_path / "bytes"
    frozen = f"quantize_nodes freeze_requantization_ranges(min_max_log_file={log})"
    log.write_bytes(b"\x7fELF\xff\xfe\n\x80")
    with pytest.raises(TransformError, match=f"{log} has no ranges; make it with insert_logging"):
        slim(source, frozen)
    [name] = [n.name for n in request_nodes(slim(source, "quantize_nodes")[0])
              if n.op == "RequantizationRange"]
    log.write_bytes(b"\xff\n;" + name.encode() + b"__print__;__requant_min_max:[-9][9]\n\x80\n")
    assert request_ops(slim(source, frozen)[0])["RequantizationRange"] == 0


@pytest.mark.parametrize("options, message", [
    ({}, "got '', which is no file"),
    ({"min_max_log_file": "/no/such.log"}, "got '/no/such.log', which is no file"),
    ({"min_max_log_file": os.path.dirname(__file__)}, "which is no file"),
    ({"min_max_log_file": __file__, "min_percentile": 50.0}, "min_percentile.*below 50, got 50"),
    ({"min_max_log_file": __file__, "max_percentile": -1.0}, "max_percentile.*got -1"),
], ids=str)
def test_a_log_that_is_not_there_is_an_error_at_construction(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        TRANSFORMS["freeze_requantization_ranges"](**options)


@pytest.mark.parametrize("option", ["first_n", "summarize"])
def test_a_number_below_minus_one_is_an_error_at_construction(option: str) -> None:
    with pytest.raises(OptionError, match=f"insert_logging.{option}=.... takes -1 or more, got -2"):
        TRANSFORMS["insert_logging"](**{option: -2})
