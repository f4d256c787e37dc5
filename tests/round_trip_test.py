"""Every model of the zoo, through every list that people copy: the slim servable answers alike."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from ask import ask, ask_fresh, served, values
from models import MODELS
from tensorflow.python.saved_model import loader_impl

from estimator_slim import optimize_saved_model
from estimator_slim.transforms import DEFAULT

LOSSLESS = ("strip_unused_nodes remove_nodes(op=Identity) fold_constants merge_duplicate_nodes "
            "sort_by_execution_order")
RECIPE = ("remove_nodes(op=Identity) merge_duplicate_nodes strip_unused_nodes "
          "fold_constants(ignore_errors=true) fold_batch_norms")
SIMPLIFIED = DEFAULT.replace(" quantize_weights", "")
EXACT = {"empty": "", "lossless": LOSSLESS, "recipe": RECIPE, "simplified": SIMPLIFIED}
LOSSY = {"quantize_weights": ("quantize_weights", 0.05), "default": (DEFAULT, 0.05),
         # One range for all inputs of a batch: what large inputs cancel to is as far off as they are.
         "quantize_nodes": ("quantize_nodes quantize_weights", 0.3)}
DECISIONS = ("class_ids", "classes", "which", "text")
NAMES = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def answers(exported: Callable) -> Callable[[str], dict]:
    """`answers(name)`: what the original of the model answers, asked once."""
    known: dict[str, dict] = {}

    def of(name: str) -> dict:
        if name not in known:
            known[name] = ask(exported(name), MODELS[name].requests)
        return known[name]
    return of


@pytest.fixture(scope="module")
def slim(exported: Callable, tmp_path_factory: Any) -> Callable[[str, str], str]:
    """`slim(name, transforms)`: the optimized servable of the model, made once."""
    root = tmp_path_factory.mktemp("slim")
    made: dict[tuple[str, str], str] = {}

    def path(name: str, transforms: str) -> str:
        key = name, transforms
        if key not in made:
            made[key] = str(root / f"{len(made)}" / "1")
            optimize_saved_model(exported(name), made[key], transforms)
        return made[key]
    return path


@NAMES
@pytest.mark.parametrize("transforms", EXACT.values(), ids=list(EXACT))
def test_lossless_lists_change_no_answer(
        name: str, transforms: str, answers: Callable, slim: Callable) -> None:
    got = ask(slim(name, transforms), MODELS[name].requests, optimizer=False)
    assert_alike(got, answers(name), assert_same)


@NAMES
@pytest.mark.parametrize("transforms, share", LOSSY.values(), ids=list(LOSSY))
def test_lossy_lists_answer_nearly_the_same(
        name: str, transforms: str, share: float, answers: Callable, slim: Callable) -> None:
    got = ask(slim(name, transforms), MODELS[name].requests, optimizer=False)
    assert_alike(got, answers(name), functools.partial(assert_near, share=share))


@NAMES
def test_signatures_tables_and_assets_survive(
        name: str, exported: Callable, slim: Callable) -> None:
    before, after = _load(exported(name)), _load(slim(name, LOSSLESS))
    assert _signatures(after) == _signatures(before)
    assert sorted(after.meta_info_def.tags) == sorted(before.meta_info_def.tags)
    assert (list(after.collection_def["table_initializer"].node_list.value)
            == list(before.collection_def["table_initializer"].node_list.value))
    for folder in ("assets", "assets.extra"):
        assert _files(slim(name, LOSSLESS), folder) == _files(exported(name), folder)


def test_all_answer_in_a_fresh_process(answers: Callable, slim: Callable) -> None:
    got = ask_fresh({name: (slim(name, LOSSLESS), MODELS[name].requests) for name in MODELS})
    for name in MODELS:
        assert_alike(got[name], answers(name), assert_same)


def test_originals_stay_byte_for_byte(exported: Callable, slim: Callable) -> None:
    path = exported("vocabulary_file_oov_labels")
    before = _files(path, "")
    optimize_saved_model(path, slim("vocabulary_file_oov_labels", LOSSLESS) + "0", DEFAULT)
    assert _files(path, "") == before


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


def _load(directory: str) -> Any:
    """The `serve` MetaGraph of a servable, from saved_model.pb or .pbtxt."""
    saved = loader_impl.parse_saved_model(directory)
    return next(m for m in saved.meta_graphs if set(m.meta_info_def.tags) == {"serve"})


def _signatures(meta_graph: Any) -> dict:
    """Signature → method, and the type and shape of each input and output."""
    return {key: (s.method_name, _types(s.inputs), _types(s.outputs))
            for key, s in served(meta_graph).items()}


def _types(tensors: Any) -> dict:
    return {key: (info.WhichOneof("encoding"), info.dtype, str(info.tensor_shape))
            for key, info in tensors.items()}


def _files(directory: str, folder: str) -> dict[str, bytes]:
    result = {}
    for parent, _, names in os.walk(os.path.join(directory, folder)):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                result[os.path.relpath(path, directory)] = file.read()
    return result
