"""Whether two servables answer alike: the same signatures, refusals, types, shapes, and near values."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.ask import Answers, ask, values

ROUNDED = {"rtol": 1e-5, "atol": 1e-5}  # the same numbers, in another order or multiplied ahead
DECISIONS = ("class_ids", "classes", "which", "text")


def assert_alike(got: Answers, expected: Answers, **near: Any) -> None:
    """The same signatures and refusals, and the outputs of each answer as `assert_near` wants them."""
    assert got.keys() == expected.keys()
    for key, answer in expected.items():
        if isinstance(answer, str) or isinstance(got[key], str):
            assert got[key] == answer, f"{key}: {got[key]} instead of {answer}"
        else:
            assert_near(values(got[key]), values(answer), key, **near)


def nearly(share: float) -> dict[str, float]:
    """For `assert_near`: floats within a share of the largest, decisions alike unless two nearly tie."""
    return {"share": share, "least": 1.0, "ties": 2 * share}


def assert_near(got: dict, expected: dict, where: Any = "", *, atol: float = 0.0, rtol: float = 0.0,
                share: float = 0.0, least: float = 0.0, ties: float | None = 0.0) -> None:
    """The same outputs, each of the same type and shape, and near enough.

    Args:
      got: arrays by the output's name.
      expected: the same of whom is right.
      where: named in errors.
      atol: floats may be off by this,
      rtol: and by this share of themselves,
      share: and by this share of the largest finite number of their output,
      least: which counts as at least this.
      ties: decisions may differ in rows whose two best scores are nearer to each other than this share;
        None: everything that is no float may differ.
    """
    assert got.keys() == expected.keys(), where
    for name, value in expected.items():
        assert (got[name].dtype, got[name].shape) == (value.dtype, value.shape), (where, name)
        if _is_float(value):
            finite = np.abs(value[np.isfinite(value)].astype(np.float64))
            reach = max(least, float(finite.max(initial=0.0)))
            np.testing.assert_allclose(got[name], value, rtol=rtol, atol=atol + share * reach,
                                       err_msg=f"{where} {name}")
        elif ties is not None:
            clear = _clear(name, expected, ties) if ties else ...
            np.testing.assert_array_equal(got[name][clear], value[clear], err_msg=f"{where} {name}")


def assert_same_answers(directory: str, original: str, *requests: Any) -> None:
    """Two servables answer alike bit for bit, and refuse the same requests."""
    assert_near_answers(directory, original, *requests)


def assert_near_answers(directory: str, original: str, *requests: Any, optimizer: bool = False,
                        **near: Any) -> None:
    """Two servables answer alike; how nearly as for `assert_near`."""
    got, expected = (ask(one, requests, optimizer=optimizer) for one in (directory, original))
    assert_alike(got, expected, **near)


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
