"""quantize_nodes: models that were trained for it, ranges that are given, what the engine breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.transforms import TRANSFORMS
from tests.support.by_hand import answers, reasons, request_ops, servable, slim, v1, variable


@pytest.mark.parametrize("width", [16, 400], ids=["a constant", "a variable"])
def test_a_kernel_behind_a_fake_quantization_is_quantized(tmp_path: Path, width: int) -> None:
    random = np.random.default_rng(5)
    kernel = random.normal(size=(width, width)).astype(np.float32) / np.sqrt(width)

    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, width], "x")
        low, high = (variable(name, np.float32(bound)) for name, bound in (("low", -0.5), ("high", 0.5)))
        fake = tf.quantization.fake_quant_with_min_max_vars(variable("kernel", kernel), low, high)
        return {"x": x}, {"y": tf.nn.relu(tf.matmul(x, fake))}

    source = servable(tmp_path, network)
    path, _ = slim(source, "strip_unused_nodes remove_nodes(op=Identity) fold_constants quantize_nodes")
    assert request_ops(path)["QuantizedMatMul"] == 1
    request = {"x": random.normal(size=(20, width)).astype(np.float32)}
    got, wanted = answers(path, request)["y"], answers(source, request)["y"]
    assert np.abs(got - wanted).max() < 0.02 * wanted.max()


def kernel(*shape: int) -> Any:
    return tf.constant(np.random.default_rng(5).normal(size=shape).astype(np.float32))


def fake_quantized(x: Any, low: float = -6.0, high: float = 6.0, after: Sequence = ()) -> Any:
    """`x`, rounded to 256 values, when `after` is done; which the constants do not wait for."""
    bounds = {"min": tf.constant(low), "max": tf.constant(high)}
    with tf.control_dependencies(after):
        return tf.raw_ops.FakeQuantWithMinMaxVars(inputs=x, **bounds)


def not_too_large(x: Any) -> Any:
    return tf.raw_ops.Assert(condition=tf.reduce_all(x < 50.0), data=["too large"])


def after_assert(x: Any, build: Callable) -> Any:
    w = kernel(4, 3)
    with tf.control_dependencies([not_too_large(x)]):
        return build(x, w)


def after_sigmoid(x: Any) -> Any:
    return fake_quantized(tf.sigmoid(x @ kernel(4, 3)), 0.0, 1.0)


def after_half(x: Any) -> Any:
    product = tf.cast(x, tf.float16) @ tf.cast(kernel(4, 3), tf.float16)
    return fake_quantized(tf.cast(product, tf.float32))


def concatenated(x: Any, axis: Any) -> Any:
    return tf.nn.relu(tf.concat([x @ kernel(4, 3), tf.nn.relu(x)], axis))


HIDDEN = {
    "a negative axis": (lambda x: concatenated(x, -1), "axis is negative or not constant"),
    "an axis that is computed": (lambda x: concatenated(x, tf.rank(x) - 1),
                                 "axis is negative or not constant"),
    "one tensor twice in a Concat": (lambda x: tf.concat([x, x], 1), "reads one tensor twice"),
    "one tensor twice in a MatMul": (lambda x: tf.matmul(x, x, transpose_b=True),
                                     "reads one tensor twice"),
    "a control dependency": (lambda x: after_assert(x, tf.matmul), "waits for a control dependency"),
    "a FakeQuant's control dependency": (
        lambda x: fake_quantized(x @ kernel(4, 3), after=[not_too_large(x)]),
        "waits for a control dependency"),
    "a FakeQuant behind a Sigmoid": (after_sigmoid, "before 'Sigmoid', Sigmoid, which changes answers"),
    "a FakeQuant behind a half": (after_half, "Cast, which changes answers"),
    "a FakeQuant of positive numbers": (
        lambda x: fake_quantized(tf.nn.relu(x @ kernel(4, 3)), 0.5, 6.0), "does not include 0"),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_what_the_engine_breaks_is_left_alone_and_the_report_says_why(
        tmp_path: Path, case: str) -> None:
    build, reason = HIDDEN[case]

    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        return {"x": x}, {"y": build(x), "z": x @ kernel(4, 5)}

    source = servable(tmp_path, network)
    path, report = slim(source, "backport_concatv2 quantize_nodes")
    assert reason in reasons(report)
    assert request_ops(path)["QuantizedMatMul"] >= 1
    typical = {"x": np.random.default_rng(6).uniform(-1, 1, size=(8, 4)).astype(np.float32)}
    got, wanted = answers(path, typical), answers(source, typical)
    np.testing.assert_allclose(got["y"], wanted["y"], rtol=0, atol=0.03 * np.abs(wanted["y"]).max())
    large = {"x": np.full((2, 4), 99.0)}
    assert isinstance(answers(path, large), str) == isinstance(answers(source, large), str)


def test_a_fake_quantization_behind_an_output_leaves_that_output(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        y = tf.nn.relu(x @ kernel(4, 3))
        return {"x": x}, {"y": y, "rounded": fake_quantized(y, 0.0, 1.0)}

    source = servable(tmp_path, network)
    path, _ = slim(source, "quantize_nodes")
    request = {"x": np.random.default_rng(6).normal(size=(8, 4)).astype(np.float32)}
    got, wanted = answers(path, request), answers(source, request)
    for output in ("y", "rounded"):
        np.testing.assert_allclose(got[output], wanted[output], atol=0.03 * wanted["y"].max())


def test_a_concatenation_along_a_constant_axis_is_quantized(tmp_path: Path) -> None:
    def network() -> Any:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        return {"x": x}, {"y": concatenated(x, 1)}

    path, _ = slim(servable(tmp_path, network), "backport_concatv2 quantize_nodes")
    assert request_ops(path)["QuantizedConcat"] == 1


def two_inputs() -> Any:
    x = v1.placeholder(tf.float32, [None, 4], "x")
    other = v1.placeholder_with_default(np.ones([1, 4], np.float32), [None, 4], "other")
    return {"x": x, "other": other}, {"y": tf.nn.relu(tf.identity(x) @ kernel(4, 3)),
                                      "z": other @ kernel(4, 3)}


def test_fed_floats_are_quantized_to_the_range_that_is_given(tmp_path: Path) -> None:
    source = servable(tmp_path, two_inputs)
    path, _ = slim(source, "quantize_nodes(input_min=-2, input_max=10)", max_error=1.0)
    measuring, _ = slim(source, "quantize_nodes")
    assert request_ops(path)["QuantizedMatMul"] == request_ops(measuring)["QuantizedMatMul"] == 2
    assert request_ops(path)["Min"] == request_ops(measuring)["Min"] - 2  # the kernel's is left
    x = np.random.default_rng(6).uniform(-2, 10, size=(20, 4)).astype(np.float32)
    for factor in (1.0, 100.0):  # what is outside of the range counts as its nearest end
        request = {"x": x * factor, "other": -x * factor}
        clipped = {name: value.clip(-2, 10) for name, value in request.items()}
        got, wanted = answers(path, request), answers(source, clipped)
        for output in ("y", "z"):
            np.testing.assert_allclose(got[output], wanted[output], rtol=0,
                                       atol=0.03 * np.abs(wanted[output]).max())


def test_a_range_instead_of_measured_ones_is_that_of_the_answers(tmp_path: Path) -> None:
    source = servable(tmp_path, two_inputs)
    path, _ = slim(source, "quantize_nodes(fallback_min=-1, fallback_max=1)", max_error=1.0)
    assert request_ops(path)["RequantizationRange"] == 0
    x = np.random.default_rng(6).uniform(-2, 2, size=(20, 4)).astype(np.float32)
    wanted = answers(source, {"x": x})["y"].clip(-1, 1)
    np.testing.assert_allclose(answers(path, {"x": x})["y"], wanted, atol=0.1)


@pytest.mark.parametrize("which", ["input", "fallback"])
@pytest.mark.parametrize("low, high", [(-1.0, None), (None, 1.0), (1.0, -1.0), (0.0, 0.0), (1.0, 2.0),
                                       (-2.0, -1.0), (-1.0, 1e39)])
def test_a_range_that_is_none_is_an_error_at_construction(which: str, low: Any, high: Any) -> None:
    with pytest.raises(OptionError, match=f"{which}_max=.*both ends of a range.*got {low} and {high}"
                       .replace("+", r"\+")):
        TRANSFORMS["quantize_nodes"](**{f"{which}_min": low, f"{which}_max": high})
