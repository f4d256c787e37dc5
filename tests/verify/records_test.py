"""What is promised of files of records: how they are packed is seen by what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from estimator_slim.verify.tfrecords import read_records


@pytest.mark.parametrize("name", ["examples", "examples.gz", "examples.tfrecord.gz"])
@pytest.mark.parametrize("packed", ["GZIP", ""])
def test_packed_records_are_read_whatever_the_name_of_their_file(
        tmp_path: Path, name: str, packed: str) -> None:
    records = [b"one", b"", b"three" * 1000]
    with tf.io.TFRecordWriter(str(tmp_path / name), packed) as file:
        for record in records:
            file.write(record)
    assert read_records(str(tmp_path / name), 10) == records
    assert read_records(str(tmp_path / name), 2) == records[:2]


def test_a_first_record_as_long_as_a_packed_files_mark_is_read(tmp_path: Path) -> None:
    path, record = str(tmp_path / "examples"), b"x" * 0x8B1F
    with tf.io.TFRecordWriter(path) as file:
        file.write(record)
    assert Path(path).read_bytes()[:2] == b"\x1f\x8b"
    assert read_records(path, 10) == [record]
