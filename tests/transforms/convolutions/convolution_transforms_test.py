"""flatten_atrous_conv and the three fuse_*: fewer operations where the answer stays, none elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alike import assert_near_answers
from tests.support.by_hand import reasons, request_ops, servable, slim, v1, variable

RANDOM = np.random.default_rng(5)
SHARE = 1e-5  # of the largest answer: the same products, added in another order
PADS = [[0, 0], [1, 2], [0, 1], [0, 0]]
PREPARE = "remove_nodes(op=Identity) fold_constants"


def images(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def kernel(*shape: int, name: str = "kernel") -> Any:
    return variable(name, images(*shape))


def network(build: Callable, shape: tuple, dtype: Any = tf.float32) -> Callable:
    def made() -> Any:
        x = v1.placeholder(dtype, shape, "x")
        y = build(x)
        return {"x": x}, y if isinstance(y, dict) else {"y": y}
    return made


def atrous(x: Any, *, rate: int = 2, padding: str = "SAME", depthwise: bool = False) -> Any:
    if depthwise:
        return tf.nn.depthwise_conv2d(x, kernel(3, 3, 3, 2), [1, 1, 1, 1], padding,
                                      dilations=[rate, rate])
    return tf.nn.atrous_conv2d(x, kernel(3, 3, 3, 4), rate, padding)


@pytest.mark.parametrize("depthwise", [False, True], ids=["Conv2D", "DepthwiseConv2dNative"])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("rate", [2, 3])
@pytest.mark.parametrize("size", [(8, 8), (7, 11)], ids=str)
def test_a_dilated_convolution_is_one_node_and_answers_the_same(
        tmp_path: Path, size: tuple, rate: int, padding: str, depthwise: bool) -> None:
    source = servable(tmp_path, network(
        lambda x: atrous(x, rate=rate, padding=padding, depthwise=depthwise), (None, *size, 3)))
    assert request_ops(source)["SpaceToBatchND"] == 1
    path, _ = slim(source, f"{PREPARE} flatten_atrous_conv")
    assert not {"SpaceToBatchND", "BatchToSpaceND"} & set(request_ops(path))
    assert_near_answers(path, source, {"x": images(3, *size, 3)}, {"x": images(1, *size, 3)},
                        share=SHARE)


def test_dilated_convolutions_of_one_image_that_share_a_kernel_all_become_one_node(
        tmp_path: Path) -> None:
    def pyramid(x: Any) -> Any:
        shared = kernel(3, 3, 3, 4)
        return tf.concat([tf.nn.atrous_conv2d(x, shared, rate, "SAME") for rate in (2, 3, 4)]
                         + [tf.nn.conv2d(x, shared, 1, "SAME")], -1)

    source = servable(tmp_path, network(pyramid, (None, 9, 9, 3)))
    path, _ = slim(source, f"{PREPARE} flatten_atrous_conv")
    assert request_ops(path)["Conv2D"] == 4
    assert request_ops(path)["SpaceToBatchND"] == 0
    assert_near_answers(path, source, {"x": images(2, 9, 9, 3)}, share=SHARE)


def test_a_dilation_along_the_height_alone_is_one_node(tmp_path: Path) -> None:
    def build(x: Any) -> Any:
        rows = tf.space_to_batch(x, [2], [[2, 2]])
        return tf.batch_to_space(tf.nn.conv2d(rows, kernel(3, 3, 3, 4), 1, "VALID"), [2], [[0, 0]])

    source = servable(tmp_path, network(build, (None, 8, 8, 3)))
    path, _ = slim(source, f"{PREPARE} flatten_atrous_conv")
    assert request_ops(path)["SpaceToBatchND"] == 0
    assert_near_answers(path, source, {"x": images(2, 8, 8, 3)}, share=SHARE)


def _split_dilation(x: Any, convolution: Callable, crops: list | None = None) -> Any:
    rows = tf.space_to_batch(x, [2, 2], [[2, 2], [2, 2]])
    return tf.batch_to_space(convolution(rows), [2, 2], crops or [[0, 0], [0, 0]])


def _fetched_inside(x: Any) -> Any:
    rows = tf.space_to_batch(x, [2, 2], [[2, 2], [2, 2]])
    inner = tf.nn.conv2d(rows, kernel(3, 3, 3, 4), 1, "VALID")
    return {"y": tf.batch_to_space(inner, [2, 2], [[0, 0], [0, 0]]), "inner": inner}


def _waiting(x: Any) -> Any:
    with tf.control_dependencies([tf.raw_ops.Assert(condition=tf.reduce_all(x < 50.0), data=["big"])]):
        rows = tf.space_to_batch(x, [2, 2], [[2, 2], [2, 2]])
    return tf.batch_to_space(tf.nn.conv2d(rows, kernel(3, 3, 3, 4), 1, "VALID"), [2, 2],
                             [[0, 0], [0, 0]])


@pytest.mark.parametrize("build, shape, reason", [
    (atrous, (None, None, None, 3), "its paddings and crops depend on the request"),
    (lambda x: _split_dilation(x, lambda r: tf.nn.conv2d(r, kernel(3, 3, 3, 4), 1, "SAME")),
     (None, 8, 8, 3), "no plain convolution"),
    (lambda x: _split_dilation(x, lambda r: tf.nn.conv2d(r, kernel(3, 3, 3, 4), 2, "VALID")),
     (None, 8, 8, 3), "no plain convolution"),
    (_fetched_inside, (None, 8, 8, 3), "a signature fetches"),
    (_waiting, (None, 8, 8, 3), "waits for a control dependency"),
    (lambda x: _split_dilation(x, lambda r: tf.nn.depthwise_conv2d(
        r, tf.reshape(x[0, 0, 0, 0], [1, 1, 1, 1]) * tf.ones([3, 3, 3, 1]), [1, 1, 1, 1], "VALID")),
     (None, 8, 8, 3), "is no constant"),
], ids=["unknown size", "padded rows", "strides", "fetched inside", "control dependency",
        "computed kernel"])
def test_a_dilation_that_is_no_plain_convolution_stays_and_the_report_says_why(
        tmp_path: Path, build: Callable, shape: tuple, reason: str) -> None:
    source = servable(tmp_path, network(build, shape))
    path, report = slim(source, f"{PREPARE} flatten_atrous_conv")
    assert request_ops(path)["SpaceToBatchND"] == 1
    assert reason in reasons(report)
    assert_near_answers(path, source, {"x": images(2, 8, 8, 3)}, share=SHARE)


def resized(x: Any, **options: Any) -> Any:
    return tf.raw_ops.ResizeBilinear(images=x, size=[14, 11], **options)


def mirrored(x: Any, mode: str = "REFLECT") -> Any:
    return tf.pad(x, PADS, mode)


def convolved(x: Any, stride: int = 1, padding: str = "VALID", **options: Any) -> Any:
    return tf.nn.conv2d(x, kernel(3, 3, 3, 4), stride, padding, **options)


FUSED = {"fuse_pad_and_conv": (mirrored, "FusedPadConv2D"),
         "fuse_resize_and_conv": (resized, "FusedResizeAndPadConv2D"),
         "fuse_resize_pad_and_conv": (lambda x: mirrored(resized(x)), "FusedResizeAndPadConv2D")}
BEFORE = {"Conv2D", "MirrorPad", "ResizeBilinear"}


@pytest.mark.parametrize("transform", FUSED)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_one_image_is_resized_and_padded_while_convolving(
        tmp_path: Path, transform: str, stride: int, padding: str) -> None:
    before, op = FUSED[transform]
    source = servable(tmp_path, network(
        lambda x: convolved(before(x), stride, padding) + 1.0, (1, 7, 9, 3)))
    path, _ = slim(source, f"{PREPARE} {transform}")
    assert request_ops(path)[op] == 1
    assert not BEFORE & set(request_ops(path))
    assert_near_answers(path, source, {"x": images(1, 7, 9, 3)}, {"x": images(1, 7, 9, 3) * 100},
                        share=SHARE)


@pytest.mark.parametrize("transform, build", [
    ("fuse_pad_and_conv", lambda x: convolved(mirrored(x, "SYMMETRIC"))),
    ("fuse_pad_and_conv", lambda x: convolved(tf.raw_ops.MirrorPad(
        input=x, paddings=tf.constant(PADS, tf.int64), mode="REFLECT"))),
    ("fuse_resize_and_conv", lambda x: convolved(resized(x, align_corners=True))),
    ("fuse_pad_and_conv", lambda x: convolved(mirrored(resized(x)))),
], ids=["symmetric", "int64 paddings", "aligned corners", "only the padding"])
def test_what_the_fused_kernels_also_know_is_fused(
        tmp_path: Path, transform: str, build: Callable) -> None:
    source = servable(tmp_path, network(build, (1, 7, 9, 3)))
    path, _ = slim(source, f"{PREPARE} {transform}")
    assert request_ops(path)["Conv2D"] == 0
    assert_near_answers(path, source, {"x": images(1, 7, 9, 3)}, share=SHARE)


def _padded_twice_read(x: Any) -> Any:
    padded = mirrored(x)
    return {"y": convolved(padded), "mean": tf.reduce_mean(padded)}


@pytest.mark.parametrize("transform, build, shape, reason", [
    ("fuse_pad_and_conv", lambda x: convolved(mirrored(x)), (None, 7, 9, 3), "first image of a batch"),
    ("fuse_resize_and_conv", lambda x: convolved(resized(x)), (2, 7, 9, 3), "first image of a batch"),
    ("fuse_resize_pad_and_conv", lambda x: convolved(mirrored(resized(x))), (None, 7, 9, 3),
     "first image of a batch"),
    ("fuse_pad_and_conv", lambda x: convolved(mirrored(x), dilations=2), (1, 7, 9, 3), "no dilations"),
    ("fuse_pad_and_conv", lambda x: convolved(mirrored(x), padding=[[0, 0], [1, 1], [1, 1], [0, 0]]),
     (1, 7, 9, 3), "paddings SAME and VALID"),
    ("fuse_resize_and_conv", lambda x: convolved(resized(x, half_pixel_centers=True)), (1, 7, 9, 3),
     "half pixel centers"),
    ("fuse_pad_and_conv", _padded_twice_read, (1, 7, 9, 3), "2 nodes read"),
    ("fuse_pad_and_conv", lambda x: {"y": convolved(p := mirrored(x)), "padded": p}, (1, 7, 9, 3),
     "a signature fetches"),
    ("fuse_pad_and_conv", lambda x: convolved(tf.pad(x[..., :2], [[0, 0]] * 3 + [[0, 1]], "REFLECT")),
     (1, 7, 9, 3), "more than height and width"),
], ids=["any batch", "two images", "any batch, both", "dilations", "explicit padding",
        "half pixel centers", "read twice", "fetched", "padded channels"])
def test_what_the_fused_kernels_do_wrong_stays_and_the_report_says_why(
        tmp_path: Path, transform: str, build: Callable, shape: tuple, reason: str) -> None:
    source = servable(tmp_path, network(build, shape))
    path, report = slim(source, f"{PREPARE} {transform}")
    assert request_ops(path)["Conv2D"] == 1
    assert reason in reasons(report)
    assert_near_answers(path, source, {"x": images(shape[0] or 3, 7, 9, 3)}, share=SHARE)
