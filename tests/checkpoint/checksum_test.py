"""The checksums in checkpoints are TensorFlow's, for any number of bytes, in arrays or not."""

from __future__ import annotations

from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.checkpoint.checksum import masked_crc
from estimator_slim.checkpoint.reader import CheckpointReader
from estimator_slim.checkpoint.writer import CheckpointWriter

SIZES = [0, 1, 3, 4, 5, 7, 1000, 65_535, 65_536, 65_537, 300_001]


def octets(size: int) -> np.ndarray:
    return np.random.default_rng(size).integers(0, 256, size, np.uint8)


def stored(prefix: Path) -> int:
    """The checksum of tensor `t` as the index has it."""
    return CheckpointReader(str(prefix)).tensors["t"].pieces[0].crc


@pytest.mark.parametrize("size", SIZES)
def test_the_checksum_of_any_number_of_bytes_is_that_of_tensorflow(tmp_path: Path, size: int) -> None:
    value = octets(size)
    tf.raw_ops.SaveV2(prefix=f"{tmp_path}/theirs", tensor_names=["t"], shape_and_slices=[""],
                      tensors=[value])
    with CheckpointWriter(f"{tmp_path}/ours") as writer:
        writer.add("t", np.uint8, (size,), (value[i:i + 777] for i in range(0, size, 777)))
    assert stored(tmp_path / "ours") == stored(tmp_path / "theirs")
    for name in ("ours", "theirs"):
        CheckpointReader(f"{tmp_path}/{name}").verify("t")


@pytest.mark.parametrize("size", SIZES)
def test_arrays_slices_of_arrays_and_bytes_have_one_checksum(size: int) -> None:
    array = octets(size + 3)[3:]  # begins at no round address
    crc = google_crc32c.value(array.tobytes())
    for cut in (0, 1, size // 3, size):
        parts = array[:cut], array[cut:]
        assert google_crc32c.extend(google_crc32c.extend(0, parts[0]), parts[1]) == crc
        assert google_crc32c.extend(google_crc32c.value(parts[0].tobytes()), parts[1].tobytes()) == crc


def test_the_checksum_of_the_standard_and_its_stored_form() -> None:
    assert google_crc32c.value(b"123456789") == 0xE3069283
    assert masked_crc(0xE3069283) == 0xC78AB0E5
    assert masked_crc(0) == 0xA282EAD8  # of no bytes
