"""Bytes of a stored piece, out of a checkpoint's data file, on a local disk or a remote store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import google_crc32c
import numpy as np
import tensorflow as tf

from estimator_slim.checkpoint.checksum import masked_crc
from estimator_slim.checkpoint.fetched import FetchedFile, fill, opened
from estimator_slim.checkpoint.index import Piece, TensorEntry
from estimator_slim.errors import SourceError


def check_data_files(tensors: Mapping[str, TensorEntry]) -> list[FetchedFile]:
    """Looks at the sizes of the files alone.

    Returns those in a store. As long as somebody has them, what is read of them is kept on this disk.

    Raises:
      SourceError: a file is not there, or ends before a piece that lies in it.
    """
    sizes: dict[str, int] = {}
    kept = []
    for name, entry in tensors.items():
        for piece in entry.pieces:
            if piece.path not in sizes:
                found = _looked_at(piece.path)
                sizes[piece.path] = found.length
                if "://" in piece.path:
                    kept.append(opened(piece.path, found.length, found.mtime_nsec))
            end = piece.offset + piece.size
            if end > sizes[piece.path]:
                detail = f"expected at least {end} bytes, got a file of {sizes[piece.path]}"
                raise SourceError(damaged(name, piece, detail))
    return [file for file in kept if file]


def stream(name: str, piece: Piece, start: int, stop: int, step: int,
           into: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Bytes start..stop of a piece, uint8 [step] at a time; where `into` is given, they are put there.

    Raises:
      SourceError: they cannot be read; or they are the whole piece, and at the end of it
        its checksum differs.
    """
    crc, whole = 0, (start, stop) == (0, piece.size)
    for at in range(start, stop, step):
        size = min(step, stop - at)
        room = np.empty(size, np.uint8) if into is None else into[at - start:at - start + size]
        octets = read_octets(name, piece, at, room)
        crc = google_crc32c.extend(crc, octets) if whole else crc
        yield octets
    if whole and masked_crc(crc) != piece.crc:
        raise SourceError(damaged(name, piece, "its bytes do not match their checksum"))


def read_octets(name: str, piece: Piece, at: int, room: np.ndarray) -> np.ndarray:
    """Fills `room`, uint8 [size], with so many bytes of a piece, from its byte `at` on, and returns it.

    Raises:
      SourceError: they cannot be read.
    """
    offset = piece.offset + at
    try:
        count = _fill(piece.path, offset, room)
    except (OSError, tf.errors.OpError) as error:
        raise SourceError(damaged(name, piece, str(error))) from error
    if count != len(room):
        detail = f"expected {len(room)} bytes at byte {offset}, got {count}"
        raise SourceError(damaged(name, piece, detail))
    return room


def _fill(path: str, offset: int, room: np.ndarray) -> int:
    """Reads bytes of a file into `room`; returns how many there were."""
    if "://" not in path:  # a local disk: straight to where they are wanted, without a copy
        with open(path, "rb") as file:
            file.seek(offset)
            return file.readinto(room.data)
    return fill(path, offset, room)


def damaged(name: str, piece: Piece, detail: str) -> str:
    """The message for bytes that are not as the index says."""
    return (
        f"Tensor {name!r} cannot be read from the checkpoint's data file {piece.path}: {detail}. "
        "Copy the checkpoint again from its source, or export again."
    )


def _looked_at(path: str) -> Any:
    """TensorFlow's FileStatistics of a file."""
    try:
        return tf.io.gfile.stat(path)
    except tf.errors.OpError as error:
        raise SourceError(
            f"The checkpoint's data file {path}, which its index names, cannot be read: "
            f"{error.message}. Copy the whole checkpoint again from its source, or export again."
        ) from error
