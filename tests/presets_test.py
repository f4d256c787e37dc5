"""Presets and bits: one word for a ladder of lists, and what each of them may change."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from absl import flags

from estimator_slim import OptionError, estimate
from estimator_slim.choosing import resolve
from estimator_slim.options import EXPORTER, FUNCTION
from estimator_slim.presets import DEFAULT, PRESETS
from estimator_slim.transforms import transform_list
from tests.support.by_hand import bytes_of, slim
from tests.support.models.zoo import inputs
from tests.support.once import Once
from tests.transforms.rows.drop_untrained_rows_test import LABELS, TRAINED, WORDS, Made, hashed, make


@pytest.fixture(scope="module")
def made(once: Once) -> Made:
    return once("rows/hashed", lambda folder: make(folder, hashed()))


def texts(words: list[str], labels: np.ndarray | None = None) -> Callable:
    """An input_fn of texts of four words each."""
    batch = {"words": np.array(words).reshape(-1, 4)}
    return inputs(batch, np.zeros((len(words) // 4, 1)) if labels is None else labels)


def hashes(directory: str) -> list[str]:
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(directory).rglob("*")
                  if path.is_file())


def test_a_preset_of_no_loss_has_nothing_lossy_and_the_default_is_balanced() -> None:
    assert not any(one.lossy for text in PRESETS["lossless"] for one in transform_list(text))
    assert PRESETS["balanced"] == (DEFAULT,)
    assert resolve(FUNCTION, {"preset": "balanced"}).transforms == resolve(FUNCTION).transforms


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_bits_are_the_default_list_with_these(bits: int) -> None:
    chosen = resolve(EXPORTER, {"bits": bits})
    assert [str(one) for one in chosen.transforms] == [
        str(one) for one in transform_list(DEFAULT.replace("quantize_weights",
                                                           f"quantize_weights(bits={bits})"))]
    assert chosen.lists == (chosen.transforms,)


@pytest.mark.parametrize("arguments", [
    {"preset": "auto", "bits": 4}, {"preset": "smallest", "transforms": ""},
    {"bits": 8, "transforms": ""},
], ids=str)
def test_list_preset_and_bits_exclude_each_other(arguments: dict) -> None:
    with pytest.raises(OptionError, match="exclude each other"):
        resolve(FUNCTION, arguments)


@pytest.mark.parametrize("name, value", [("preset", "tiny"), ("preset", 4), ("bits", 5), ("bits", True),
                                         ("max_accuracy_loss", 2.0)], ids=str)
def test_wrong_values_are_errors_that_name_the_option(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=name):
        resolve(FUNCTION, {name: value})


def test_code_beats_flags_whichever_of_the_three_it_chooses() -> None:
    flags.FLAGS["slim_bits"].value = 4
    flags.FLAGS["slim_bits"].using_default_value = False
    try:
        assert "bits=4" in str(resolve(FUNCTION).transforms[-2])
        assert resolve(FUNCTION, {"preset": "lossless"}).bits is None
        assert not resolve(FUNCTION, {"transforms": ""}).transforms
        assert len(resolve(FUNCTION, {"preset": "smallest"}).lists) == len(PRESETS["smallest"])
    finally:
        flags.FLAGS["slim_bits"].unparse()


# ---- what they make


def test_the_smallest_is_a_fraction_of_the_default_and_the_same_each_time(made: Made) -> None:
    options = {"checkpoint": made.model_dir, "verify": "enforce", "fallback": True,
               "verify_input_fn": texts(TRAINED)}
    paths, reports = zip(*(slim(made.export, None, preset="smallest", **options) for _ in range(2)))
    assert hashes(paths[0]) == hashes(paths[1])
    default, _ = slim(made.export, None, **options)
    assert bytes_of(paths[0]) < bytes_of(default) / 4
    assert [one.verdict for one in reports[0].tried][-1] == "passed"


def test_auto_drops_rows_where_labels_say_that_nothing_is_lost(made: Made) -> None:
    path, report = slim(made.export, None, preset="auto", checkpoint=made.model_dir, verify="enforce",
                        fallback=True, verify_input_fn=texts(TRAINED, LABELS))
    assert "drop_untrained_rows" in report.tried[-1].transforms
    assert bytes_of(path) < bytes_of(made.export) / 10


def test_the_estimate_is_near_what_is_made(made: Made) -> None:
    found = estimate(made.export, checkpoint=made.model_dir)
    assert found.byte_count == bytes_of(made.export)
    for name, options in {"lossless": {"preset": "lossless"}, "balanced": {}, "4 bits": {"bits": 4},
                          "16 bits": {"bits": 16}, "smallest": {"preset": "smallest"}}.items():
        path, _ = slim(made.export, None, checkpoint=made.model_dir, **options)
        assert found.byte_counts[name] == pytest.approx(bytes_of(path), rel=0.05, abs=15_000), name
    (table,) = found.tables
    assert (table.shape, table.byte_count) == ((30_000, 16), 30_000 * 16 * 4)
    assert table.byte_counts["smallest"] < table.byte_counts["4 bits"] < table.byte_counts["balanced"]
    assert "smallest" in str(found)


def test_the_last_line_of_an_export_says_what_auto_would_bring(made: Made, caplog: Any) -> None:
    caplog.set_level("INFO", "absl")
    slim(made.export, None, checkpoint=made.model_dir)
    last = [r.getMessage() for r in caplog.records if r.name == "absl"][-1]
    assert re.search(r"--slim_preset=auto would make it about 0\.\d MB", last), caplog.text
    caplog.clear()
    slim(made.export, None)
    slim(made.export, None, preset="smallest", checkpoint=made.model_dir)
    assert "auto" not in caplog.text


def test_auto_keeps_all_rows_where_only_agreement_can_tell(made: Made) -> None:
    """The examples are of words that were never trained; nobody says what is right."""
    features = {"words": np.array(WORDS[40:]).reshape(-1, 4)}

    def unlabelled() -> Any:
        import tensorflow as tf
        return tf.data.Dataset.from_tensors(features)

    _, report = slim(made.export, None, preset="auto", checkpoint=made.model_dir, verify="enforce",
                     fallback=True, verify_input_fn=unlabelled)
    assert "drop_untrained_rows" in report.tried[0].transforms
    assert report.tried[0].verdict == "failed"
    assert "drop_untrained_rows" not in report.tried[-1].transforms
    assert report.tried[-1].verdict == "passed"


def test_a_stated_loss_of_accuracy_is_held_to_by_every_list(made: Made) -> None:
    """Labels are what the original answers: any other answer is a loss."""
    from tests.support.ask import ask
    from tests.support.models.zoo import examples
    asked = [WORDS[at:at + 4] for at in range(0, 60, 4)]
    right = ask(made.export, [examples(*({"words": text} for text in asked))])["predict", 0]["class_ids"]
    options = {"checkpoint": made.model_dir, "verify": "enforce", "fallback": True,
               "verify_input_fn": texts(WORDS, np.asarray(right))}
    exact = "strip_unused_nodes fold_constants simplify_lookups drop_untrained_rows"
    for most, drops in ((0.0, False), (1.0, True)):
        _, report = slim(made.export, exact, max_accuracy_loss=most, **options)
        assert ("drop_untrained_rows" in report.tried[-1].transforms) == drops
