"""Verification within little memory: what is wrong with a slim servable is caught in its files, too."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim import Verification, VerificationError, optimize_saved_model
from estimator_slim.saved_model.reader import read_servable
from estimator_slim.transforms import allowed_by, transform_list
from estimator_slim.verify.answers.asking import Job
from estimator_slim.verify.answers.load import load_of
from estimator_slim.verify.gate import Original
from estimator_slim.verify.request import Request
from tests.support.by_hand import servable, v1
from tests.verify.rewriting import rewritten

ROWS, WIDTH, CLASSES = 8000, 64, 5
EIGHT_BITS = "quantize_weights(minimum_size=1)"
ASKED = np.array([[5, 17], [4000, 0], [ROWS - 1, 3]])


def random(name: str, *shape: int) -> Any:
    """A variable whose values do not stand in the graph, which would have to be loaded."""
    return v1.get_variable(name, initializer=tf.random.stateless_normal(shape, (1, 2)))


def network() -> Any:
    ids = v1.placeholder(tf.int64, [None, 2], "ids")
    mean = tf.reduce_mean(tf.gather(random("table", ROWS, WIDTH), ids), axis=1)
    return {"ids": ids}, {"scores": tf.matmul(mean, random("kernel", WIDTH, CLASSES))}


def whole_network() -> Any:
    """One that reads all of its table."""
    x = v1.placeholder(tf.float32, [None, WIDTH], "x")
    return {"x": x}, {"near": tf.matmul(x, random("table", ROWS, WIDTH), transpose_b=True)}


def made(folder: Path, network: Callable[[], Any], **options: Any) -> tuple[str, str]:
    """(original, slim)."""
    original, slim = servable(folder, network), str(folder / "slim")
    optimize_saved_model(original, slim, EIGHT_BITS, verify="off", **options)
    return original, slim


@pytest.fixture(scope="module")
def pair(tmp_path_factory: Any) -> tuple[str, str]:
    return made(tmp_path_factory.mktemp("room"), network)


def little(slim: str) -> int:
    """Bytes that are too few to load a slim servable whole, and enough for it without its tables."""
    whole, in_files = (load_of(Job(slim, [], in_files=least)).byte_count for least in (None, 1))
    assert in_files < whole // 2
    return whole - 1


@pytest.fixture(scope="module")
def original(pair: tuple[str, str]) -> Original:
    asked = [Request("serving_default", {"ids": ASKED}, "asked")]
    return Original(read_servable(pair[0]), asked, memory=little(pair[1]))


def compared(original: Original, slim: str) -> Verification:
    return original.compare(slim, allowed_by(transform_list(EIGHT_BITS)))


def test_a_whole_one_passes_with_its_tables_in_their_files(
        original: Original, pair: tuple[str, str]) -> None:
    found = compared(original, pair[1])
    assert (found.failures, found.unverified, found.answered) == ((), (), 1)
    (why,) = found.warnings
    assert why == ("it was not loaded whole, as 1 MB are free to do so; its tables were read from their "
                   "files, whose checksums are right")


def tensor_of_rows(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def broken(directory: Path) -> None:
        rewritten(directory, lambda tensors: tensors.update(
            {"table/codes": change(tensors["table/codes"])}))
    return broken


def one_row(codes: np.ndarray) -> np.ndarray:
    codes[17] = codes[18]
    return codes


def swapped(codes: np.ndarray) -> np.ndarray:
    codes[[0, 4000]] = codes[[4000, 0]]  # both in one question, whose mean stays
    codes[[5, 3]] = codes[[3, 5]]
    return codes


def without_codes(directory: Path) -> None:
    rewritten(directory, lambda tensors: tensors.pop("table/codes"))


def without_data(directory: Path) -> None:
    for path in directory.glob("variables/variables.data-*"):
        path.unlink()


def cut_off(directory: Path) -> None:
    path, = directory.glob("variables/variables.data-*")
    os.truncate(path, path.stat().st_size // 2)


def a_byte_that_is_not_asked_for(directory: Path) -> None:
    path, = directory.glob("variables/variables.data-*")
    content = bytearray(path.read_bytes())
    content[1000 * WIDTH] ^= 0x40
    path.write_bytes(content)


@pytest.mark.parametrize("broken", [
    tensor_of_rows(one_row), tensor_of_rows(swapped), tensor_of_rows(lambda codes: codes[:-1]),
    tensor_of_rows(lambda codes: np.roll(codes, 1, axis=0)), without_codes, without_data, cut_off,
    a_byte_that_is_not_asked_for,
], ids=["one wrong row", "swapped rows", "a table cut short", "rows off by one", "a missing part",
        "a missing file", "a file cut short", "a damaged byte in a row that nobody asks for"])
def test_a_broken_one_is_caught_in_its_files(
        original: Original, pair: tuple[str, str], tmp_path: Path, broken: Callable) -> None:
    shutil.copytree(pair[1], tmp_path / "broken")
    broken(tmp_path / "broken")
    assert not compared(original, str(tmp_path / "broken")).passed


# ---- where the rest does not fit


def test_what_cannot_be_loaded_is_published_unverified_and_a_warning_says_what_it_takes(
        tmp_path: Path, caplog: Any) -> None:
    source = servable(tmp_path, whole_network)
    report = optimize_saved_model(source, tmp_path / "slim", EIGHT_BITS, verify="enforce",
                                  verify_memory="1.5MB")
    assert report is not None and report.verification is not None
    (why,) = report.verification.unverified
    assert f"loading {source} takes about 2 MB, 2 MB of them for the variable 'table'" in why
    assert "of which requests read more than rows, and verify_memory allows 2 MB" in why
    assert "is not verified: loading" in caplog.text
    assert str(report.verification).startswith("not verified: ")


def test_where_verification_is_required_it_is_not_published(tmp_path: Path) -> None:
    source = servable(tmp_path, whole_network)
    with pytest.raises(VerificationError, match="takes about"):
        optimize_saved_model(source, tmp_path / "slim", EIGHT_BITS, verify="require",
                             verify_memory=1_500_000)
    assert not (tmp_path / "slim").exists()
