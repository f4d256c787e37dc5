"""Whether two servables answer alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.ask import values

DECISIONS = ("class_ids", "classes", "which", "text")


def assert_alike(got: dict, expected: dict, compare: Callable[[dict, dict, str], None]) -> None:
    """The same signatures, the same refusals, and outputs that `compare` accepts."""
    assert got.keys() == expected.keys()
    for key, answer in expected.items():
        if isinstance(answer, str) or isinstance(got[key], str):
            assert got[key] == answer, f"{key}: {got[key]} instead of {answer}"
            continue
        outputs, wanted = values(got[key]), values(answer)
        assert outputs.keys() == wanted.keys()
        for name, value in wanted.items():
            assert outputs[name].dtype == value.dtype, (*key, name)
            assert outputs[name].shape == value.shape, (*key, name)
        compare(outputs, wanted, str(key))


def assert_same(got: dict, expected: dict, where: str) -> None:
    """Numbers within 1e-5, strings and integers exactly."""
    for name, value in expected.items():
        if _is_float(value):
            np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-5,
                                       err_msg=f"{where} {name}")
        else:
            np.testing.assert_array_equal(got[name], value, err_msg=f"{where} {name}")


def assert_near(got: dict, expected: dict, where: str, *, share: float) -> None:
    """Numbers within a share of the largest (of 1 for scores), decisions alike unless two nearly tie."""
    for name, value in expected.items():
        if _is_float(value):
            finite = np.abs(value[np.isfinite(value)].astype(np.float64))
            reach = max(1.0, float(finite.max())) if finite.size else 1.0
            np.testing.assert_allclose(got[name], value, rtol=0, atol=share * reach,
                                       err_msg=f"{where} {name}")
        else:
            clear = _clear(name, expected, 2 * share)
            np.testing.assert_array_equal(got[name][clear], value[clear],
                                          err_msg=f"{where} {name}")


def _clear(name: str, outputs: dict, gap: float) -> Any:
    """Which rows of an output must not change: of a decision, those with one clearly best score."""
    decision = next((d for d in DECISIONS
                     if name.endswith(d) and not name.endswith("all_classes")), None)
    scores = outputs.get(name[:-len(decision)] + "probabilities" if decision else "",
                         outputs.get("value"))
    if decision is None or scores is None:
        return ...
    best = np.sort(scores, axis=-1)
    return best[..., -1] - best[..., -2] > gap * np.maximum(1.0, np.abs(best[..., -1]))


def _is_float(value: np.ndarray) -> bool:
    return value.dtype.kind == "f" or value.dtype == tf.bfloat16.as_numpy_dtype
