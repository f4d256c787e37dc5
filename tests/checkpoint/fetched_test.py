"""What is read from a store is fetched by range and once, however often it is read."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from estimator_slim.checkpoint import CheckpointReader, CheckpointWriter, fetched

ROWS = np.arange(3 * fetched.BLOCK_BYTES // 8, dtype=np.float32).reshape(-1, 16)  # a block and a half


@pytest.fixture(scope="module")
def prefix() -> Iterator[str]:
    folder = f"ram://{uuid.uuid4().hex}"
    tf.io.gfile.makedirs(folder)
    with CheckpointWriter(f"{folder}/variables") as writer:
        writer.add("small", np.float32, (4,), [np.ones(4, np.float32)])
        writer.add("table", np.float32, ROWS.shape, [ROWS])
    yield f"{folder}/variables"
    tf.io.gfile.rmtree(folder)


@pytest.fixture
def asked(monkeypatch: Any) -> list[tuple[int, int]]:
    """(offset, bytes) of each request to the store, in the making."""
    found: list[tuple[int, int]] = []
    fetch = fetched.fetch

    def noted(path: str, offset: int, size: int) -> bytes:
        found.append((offset, size))
        return fetch(path, offset, size)
    monkeypatch.setattr(fetched, "fetch", noted)
    return found


def test_each_byte_is_fetched_once(prefix: str, asked: list) -> None:
    reader = CheckpointReader(prefix)
    for _ in range(3):
        np.testing.assert_array_equal(reader.value("table"), ROWS)
    assert sorted(asked) == [(0, fetched.BLOCK_BYTES), (fetched.BLOCK_BYTES, ROWS.nbytes + 16
                                                        - fetched.BLOCK_BYTES)]


def test_a_few_rows_take_one_request(prefix: str, asked: list) -> None:
    reader = CheckpointReader(prefix)
    np.testing.assert_array_equal(reader.rows("table", 100, 200), ROWS[100:200])
    np.testing.assert_array_equal(reader.rows("table", 300, 301), ROWS[300:301])
    assert asked == [(0, fetched.BLOCK_BYTES)]


def test_threads_that_read_one_block_fetch_it_once(prefix: str, asked: list) -> None:
    reader, found = CheckpointReader(prefix), {}

    def read(at: int) -> None:
        found[at] = reader.rows("table", at, at + 9)
    threads = [threading.Thread(target=read, args=(at,)) for at in range(0, 900, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.concatenate([found[at] for at in sorted(found)]), ROWS[:900])
    assert asked == [(0, fetched.BLOCK_BYTES)]


def test_what_is_kept_goes_with_its_last_reader(prefix: str, asked: list) -> None:
    readers = [CheckpointReader(prefix), CheckpointReader(prefix)]
    for _ in range(2):
        readers.pop().value("small")
    assert len(asked) == 1
    CheckpointReader(prefix).value("small")
    assert len(asked) == 2


def test_a_file_that_is_written_anew_is_read_anew(asked: list) -> None:
    folder, readers = f"ram://{uuid.uuid4().hex}", []
    prefix = f"{folder}/variables"
    for value in (1.0, 2.0):
        if readers:
            tf.io.gfile.rmtree(folder)
        tf.io.gfile.makedirs(folder)
        with CheckpointWriter(prefix) as writer:
            writer.add("w", np.float32, (int(value),), [np.full(int(value), value, np.float32)])
        readers.append(CheckpointReader(prefix))
        assert readers[-1].value("w")[0] == value


def test_where_this_disk_has_no_room_it_is_read_all_the_same(
        prefix: str, asked: list, monkeypatch: Any) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")
    monkeypatch.setattr("os.pwrite", full)
    reader = CheckpointReader(prefix)
    np.testing.assert_array_equal(reader.value("table"), ROWS)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    np.testing.assert_array_equal(CheckpointReader(prefix).value("table"), ROWS)
