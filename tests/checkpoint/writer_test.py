"""What CheckpointWriter promises, as TensorFlow itself reads it."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.checkpoint.reader import CheckpointReader
from estimator_slim.checkpoint.writer import CheckpointWriter
from estimator_slim.errors import DestinationError

RNG = np.random.default_rng(0)


def restore(prefix: str, name: str, dtype: tf.DType, spec: str = "") -> np.ndarray:
    return tf.raw_ops.RestoreV2(
        prefix=prefix, tensor_names=[name], shape_and_slices=[spec], dtypes=[dtype]
    )[0].numpy()


def chunks(value: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    return (value[i : i + rows] for i in range(0, len(value), rows))


DTYPES = [
    tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int8, tf.uint8, tf.int16, tf.uint16,
    tf.int32, tf.uint32, tf.int64, tf.uint64, tf.bool, tf.complex64, tf.complex128,
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
def test_tensorflow_restores_every_numeric_dtype(tmp_path: Path, dtype: tf.DType) -> None:
    prefix, value = str(tmp_path / "c"), tf.cast(tf.constant(RNG.integers(0, 2, (9, 5))), dtype)
    with CheckpointWriter(prefix) as writer:
        writer.add("t", dtype.as_numpy_dtype, (9, 5), chunks(value.numpy(), 4))
    np.testing.assert_array_equal(restore(prefix, "t", dtype), value.numpy())


@pytest.mark.parametrize("dtype", [tf.int8, tf.bfloat16, tf.float32], ids=lambda dtype: dtype.name)
def test_tensorflow_restores_a_slice(tmp_path: Path, dtype: tf.DType) -> None:
    prefix, value = str(tmp_path / "c"), tf.cast(tf.constant(RNG.integers(0, 99, (9, 5))), dtype)
    with CheckpointWriter(prefix) as writer:
        writer.add("t", dtype, (9, 5), chunks(value.numpy(), 4))
    part = restore(prefix, "t", dtype, "9 5 2,6:1,3")
    np.testing.assert_array_equal(part, value.numpy()[2:8, 1:4])


def test_tensorflow_restores_scalars_empty_tensors_and_strings(tmp_path: Path) -> None:
    prefix = str(tmp_path / "c")
    words = np.array([[b"", b"a\0b"], [b"x" * 300, "é".encode()]], object)
    with CheckpointWriter(prefix) as writer:
        writer.add("z/scalar", np.int64, (), [np.array(7)])
        writer.add("none", tf.float32, (0, 4), [])
        writer.add("words", tf.string, (2, 2), chunks(words, 1))
        writer.add("word", object, (), [np.array(b"only", object)])
    stock = tf.train.load_checkpoint(prefix)
    assert stock.get_variable_to_shape_map() == {
        "z/scalar": [], "none": [0, 4], "words": [2, 2], "word": [],
    }  # fmt: skip
    assert stock.get_tensor("z/scalar") == 7
    assert stock.get_tensor("none").shape == (0, 4)
    assert stock.get_tensor("words").tolist() == words.tolist()
    assert stock.get_tensor("word") == b"only"
    assert CheckpointReader(prefix).value("words").tolist() == words.tolist()


def test_the_data_and_checksums_are_those_of_a_save_by_tensorflow(tmp_path: Path) -> None:
    value = RNG.integers(-128, 128, (70_001, 33), dtype=np.int8)  # 2.3 MB, no round number
    ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
    with CheckpointWriter(ours) as writer:
        writer.add("t", np.int8, value.shape, chunks(value, 9999))
    tf.raw_ops.SaveV2(prefix=theirs, tensor_names=["t"], shape_and_slices=[""], tensors=[value])
    shard = ".data-00000-of-00001"
    assert Path(ours + shard).read_bytes() == Path(theirs + shard).read_bytes()
    mine, stock = (CheckpointReader(p).tensors["t"].pieces[0] for p in (ours, theirs))
    assert (mine.crc, mine.size, mine.offset) == (stock.crc, stock.size, stock.offset)


def test_the_bytes_do_not_depend_on_the_chunks(tmp_path: Path) -> None:
    value, contents = RNG.normal(size=(1000, 7)), []
    for rows in (1, 17, 1000):
        with CheckpointWriter(str(tmp_path / f"{rows}")) as writer:
            writer.add("b", np.float64, value.shape, chunks(value, rows))
            writer.add("a", np.float64, value.T.shape, chunks(value.T, rows))
        files = sorted(tmp_path.glob(f"{rows}.*"))
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1] == contents[2]


def test_the_files_are_byte_for_byte_those_of_every_release(tmp_path: Path) -> None:
    table = np.arange(70_001 * 33, dtype=np.int32).astype(np.int8).reshape(70_001, 33)
    words = np.array([b"", b"a\0b", b"x" * 300], object)
    with CheckpointWriter(str(tmp_path / "c")) as writer:
        writer.add("table", np.int8, table.shape, chunks(table, 9999))
        writer.add("scalar", np.int64, (), [np.array(7)])
        writer.add("none", np.float32, (0, 4), [])
        writer.add("words", tf.string, (3,), [words])
        for i in range(4000):  # an index of several blocks
            row = np.full((1, 3), i, np.float32)
            writer.add(f"scope/of/names/{'x' * 60}/{i}", np.float32, row.shape, [row])
    files = sorted(tmp_path.iterdir())
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files} == {
        "c.data-00000-of-00001": "052cd522b57a2e715f6d7fac33c88b817ac0eed3aee13d179668fac771a5c0e4",
        "c.index": "e538a1a1b21ca72e4316881564b64c5645357536baed27cf79a0bad588956363",
    }


def test_thousands_of_names_are_all_found(tmp_path: Path) -> None:
    prefix = str(tmp_path / "c")
    names = [f"a/very/long/scope/of/names/{'x' * 60}/{i}" for i in range(4000)]
    with CheckpointWriter(prefix) as writer:
        for i, name in enumerate(names):
            writer.add(name, np.int32, (1,), [np.array([i], np.int32)])
    assert Path(f"{prefix}.index").stat().st_size > 1 << 18  # several blocks
    stock = tf.train.load_checkpoint(prefix)
    assert len(stock.get_variable_to_shape_map()) == 4000
    assert all(stock.get_tensor(names[i])[0] == i for i in range(0, 4000, 7))
    assert len(CheckpointReader(prefix).tensors) == 4000


def test_writing_takes_memory_for_a_chunk_alone(tmp_path: Path) -> None:
    prefix, chunk = str(tmp_path / "c"), np.ones((4000, 256), np.float32)  # 4 MB
    tracemalloc.start()
    try:
        with CheckpointWriter(prefix) as writer:
            writer.add("t", np.float32, (120_000, 256), (chunk for _ in range(30)))  # 123 MB
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    assert restore(prefix, "t", tf.float32).min() == 1


def test_a_failed_block_leaves_no_index(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), CheckpointWriter(str(tmp_path / "c")) as writer:
        writer.add("t", np.int8, (1,), [np.zeros(1, np.int8)])
        raise RuntimeError
    assert not (tmp_path / "c.index").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([np.zeros((4, 2), np.float64)], r"is float64 \[4, 2\]: expected rows of float32 \[4, 2\]"),
        ([np.zeros((4, 3), np.float32)], r"is float32 \[4, 3\]"),
        ([np.zeros(4, np.float32)], r"is float32 \[4\]"),
        ([np.zeros((3, 2), np.float32)], "have 3 rows: expected 4"),
        ([np.zeros((3, 2), np.float32)] * 2, "have more than 4 rows: expected 4"),
        ([], "have 0 rows: expected 4"),
    ],
)
def test_chunks_that_are_not_the_tensor_are_an_error(
    tmp_path: Path, given: list[np.ndarray], message: str
) -> None:
    with pytest.raises(ValueError, match=message), CheckpointWriter(str(tmp_path / "c")) as writer:
        writer.add("t", np.float32, (4, 2), given)


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    with CheckpointWriter(str(tmp_path / "c")) as writer:
        writer.add("t", np.int8, (), [np.array(1, np.int8)])
        with pytest.raises(ValueError, match="'t' is in the checkpoint already"):
            writer.add("t", np.int8, (), [np.array(1, np.int8)])


def test_a_folder_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="no/c.data-00000-of-00001 cannot be written"):
        CheckpointWriter(str(tmp_path / "no" / "c"))
