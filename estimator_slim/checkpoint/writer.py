"""Writes a TensorFlow V2 checkpoint, tensor by tensor and chunk by chunk, in one data file.

    add("w", int8, [1000000, 16], chunks)  → bytes to PREFIX.data-00000-of-00001, as they come
    close()                                → PREFIX.index, which makes it a checkpoint

The same tensors in the same order give the same bytes, however they are cut into chunks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType

import google_crc32c
import numpy as np
import tensorflow as tf
from numpy.typing import DTypeLike
from tensorflow.core.framework import versions_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

from estimator_slim.checkpoint.checksum import masked_crc
from estimator_slim.checkpoint.index import FORMAT_VERSION, HEADER_KEY, data_path
from estimator_slim.checkpoint.region import Shape
from estimator_slim.checkpoint.strings import encode_strings
from estimator_slim.checkpoint.table import write_table
from estimator_slim.errors import DestinationError


class CheckpointWriter:
    """A checkpoint in the making; what TensorFlow restores from it is what SaveV2 would give.

    >>> with CheckpointWriter("variables") as writer:
    ...     writer.add("w", np.int8, (1000, 16), (np.ones((100, 16), np.int8) for _ in range(10)))

    Leaving the block by an exception writes no index, so what is left is no checkpoint.
    """

    def __init__(self, prefix: str) -> None:
        """Creates the data file; its folder must be there.

        Raises:
          DestinationError: it cannot be written.
        """
        self._prefix = prefix
        self._path = data_path(prefix, 0, 1)
        self._entries: dict[bytes, bytes] = {HEADER_KEY: _header()}
        self._offset = 0
        with _writing(self._path):
            self._file = tf.io.gfile.GFile(self._path, "wb")
            self._file.write(b"")  # opens it now, for the error to come now

    def add(self, name: str, dtype: DTypeLike, shape: Shape, chunks: Iterable[np.ndarray]) -> None:
        """Writes a tensor, given as consecutive rows along axis 0: arrays [n, *shape[1:]].

        A scalar is one array []. Strings are arrays of bytes objects, and all in memory.

        Raises:
          ValueError: the name is taken, or the chunks do not make up this dtype and shape.
          DestinationError: the data file cannot be written.
        """
        kind, key = tf.as_dtype(dtype), name.encode()
        if key in self._entries:
            raise ValueError(f"The tensor {name!r} is in the checkpoint already.")
        checked = _checked(name, np.dtype(kind.as_numpy_dtype), tuple(shape), chunks)
        start = self._offset
        crc = self._write_strings(checked) if kind == tf.string else self._write_numbers(checked)
        entry = tensor_bundle_pb2.BundleEntryProto(
            dtype=kind.as_datatype_enum,
            offset=start,
            size=self._offset - start,
            crc32c=masked_crc(crc),
        )
        entry.shape.CopyFrom(tf.TensorShape(shape).as_proto())
        self._entries[key] = entry.SerializeToString(deterministic=True)

    def close(self) -> None:
        """Writes the index; on a local disk both files are safe there when this returns.

        Raises:
          DestinationError: a file cannot be written.
        """
        index = f"{self._prefix}.index"
        with _writing(self._path):
            self._file.close()
            _to_disk(self._path)
        with _writing(index):
            with tf.io.gfile.GFile(index, "wb") as file:
                file.write(write_table(sorted(self._entries.items())))
            _to_disk(index)

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()

    def _write_numbers(self, chunks: Iterator[np.ndarray]) -> int:
        """Appends the chunks; returns their checksum."""
        crc = 0
        for chunk in chunks:
            octets = chunk.tobytes()
            crc = google_crc32c.extend(crc, octets)
            self._append(octets)
        return crc

    def _write_strings(self, chunks: Iterator[np.ndarray]) -> int:
        """Appends the strings of all chunks; returns their checksum."""
        content, crc = encode_strings([string for chunk in chunks for string in chunk.ravel()])
        self._append(content)
        return crc

    def _append(self, octets: bytes) -> None:
        with _writing(self._path):
            self._file.write(octets)
        self._offset += len(octets)


def _header() -> bytes:
    header = tensor_bundle_pb2.BundleHeaderProto(
        num_shards=1, version=versions_pb2.VersionDef(producer=FORMAT_VERSION)
    )
    return header.SerializeToString(deterministic=True)


def _checked(
    name: str, dtype: np.dtype, shape: Shape, chunks: Iterable[np.ndarray]
) -> Iterator[np.ndarray]:
    """The same chunks, each found to fit, and together to be all of the rows."""
    rows, expected = 0, shape[0] if shape else 1
    for chunk in chunks:
        if chunk.dtype != dtype or chunk.ndim != len(shape) or chunk.shape[1:] != shape[1:]:
            raise ValueError(
                f"A chunk of tensor {name!r} is {chunk.dtype} {list(chunk.shape)}: expected "
                f"rows of {dtype} {list(shape)}."
            )
        rows += len(chunk) if shape else 1
        if rows > expected:
            break
        yield chunk
    if rows != expected:
        raise ValueError(
            f"The chunks of tensor {name!r} have {'more than ' * (rows > expected)}"
            f"{min(rows, expected)} rows: expected {expected}, its shape being {list(shape)}."
        )


def _to_disk(path: str) -> None:
    """Waits until a closed local file is on the disk; remote stores have done so on closing."""
    if "://" not in path:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise DestinationError(
            f"The checkpoint file {path} cannot be written: {error}. "
            "Check that its folder exists, is writable and has space left."
        ) from error
