"""quantize_nodes on models that were trained for it, whose weights are large or small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from by_hand import answers, request_ops, servable, slim, v1, variable


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
