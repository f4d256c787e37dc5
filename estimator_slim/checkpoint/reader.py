"""Reads any rows of any tensor of a TensorFlow V2 checkpoint, and no more bytes than needed.

PREFIX.index                    → the name, dtype, shape and pieces of each tensor, all at once
PREFIX.data-00000-of-00002 ...  ← the rows that somebody asks for, a few megabytes at a time

`stored_weight` gives a tensor as a weight of the graph, whose rows are read when they are asked for.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
import tensorflow as tf

from estimator_slim.checkpoint.checksum import masked_crc
from estimator_slim.checkpoint.data_file import check_data_files, damaged, read_octets, stream
from estimator_slim.checkpoint.index import Piece, TensorEntry, read_index
from estimator_slim.checkpoint.region import Region, parse_region, tile
from estimator_slim.checkpoint.scattered import scattered_rows
from estimator_slim.checkpoint.strings import decode_strings, encode_strings
from estimator_slim.errors import SourceError
from estimator_slim.graph import Weight
from estimator_slim.log import tracked

BLOCK_BYTES = 4 << 20  # read at once
MOST_BYTES = 1 << 31  # of one answer: a table's row, or a weight that is small
MOST_STRING_BYTES = 1 << 27  # of a tensor of strings, which is read whole
_POINTER = 8  # bytes of a string in an array, besides its characters
_LONGEST_HINT = 1 << 10  # comparing names takes time with the square of their length

Block = tuple[Region, np.ndarray]


class CheckpointReader:
    """A checkpoint, open for reading; it holds no file open and no tensor in memory.

    >>> from estimator_slim.checkpoint import CheckpointWriter
    >>> with CheckpointWriter("variables") as writer:
    ...     writer.add("embeddings", np.float32, (1000, 16), [np.ones((1000, 16), np.float32)])
    >>> reader = CheckpointReader("variables")
    >>> reader.tensors["embeddings"].shape
    (1000, 16)
    >>> reader.rows("embeddings", 500, 600).shape
    (100, 16)
    """

    def __init__(self, prefix: str) -> None:
        """Parses PREFIX.index and looks at the sizes of the data files.

        Raises:
          SourceError: a file is missing, cut short, damaged, or of a kind that cannot be read.
        """
        self.prefix = prefix
        self.tensors: Mapping[str, TensorEntry] = MappingProxyType(read_index(prefix))
        self._fetched = check_data_files(self.tensors)

    def rows(self, name: str, start: int, stop: int, region: Region | None = None) -> np.ndarray:
        """Rows start..stop of a tensor, or of a region of it: [stop - start, ...] in its dtype.

        A scalar has one row. A piece that is read from end to end in one call is checked
        against its checksum; `verify` does so for tensors that are read bit by bit.

        Raises:
          SourceError: no such tensor or region, or its data cannot be read.
          ValueError: there are no such rows.
        """
        box = self._region(name, region)
        if not 0 <= start <= stop <= box.lengths[0]:
            raise ValueError(f"{name!r} has rows 0..{box.lengths[0]}, not {start}..{stop}.")
        return self._read(name, box.rows(start, stop))

    def rows_at(self, name: str, places: np.ndarray, region: Region | None = None) -> np.ndarray:
        """Rows of a tensor of numbers, or of a region of it, in the order of `places`: [n, ...].

        Args:
          places: integers [n]; the same may be there several times.

        Raises:
          SourceError: no such tensor or region, or its data cannot be read.
          ValueError: there are no such rows.
        """
        box = self._region(name, region)
        outside = places[(places < 0) | (places >= box.lengths[0])]
        if outside.size:
            raise ValueError(f"{name!r} has rows 0..{box.lengths[0]}, not {outside[0]}.")
        unique, where = np.unique(places, return_inverse=True)
        found = scattered_rows(name, self.entry(name), box, unique)
        if found is None:
            found = np.stack([self._read(name, box.rows(one, one + 1))[0] for one in unique.tolist()])
        return found[where]

    def value(self, name: str, region: Region | None = None) -> np.ndarray:
        """A whole tensor, or a region of it; strings are an object array of bytes.

        Raises:
          SourceError: no such tensor or region, or its data cannot be read.
        """
        array = self._read(name, self._region(name, region))
        return array.reshape(self.entry(name).shape) if region is None else array

    def verify(self, name: str) -> None:
        """Reads a tensor through, in little memory, for its checksums alone.

        Raises:
          SourceError: its bytes are not those that were written.
        """
        entry = self.entry(name)
        if entry.dtype == tf.string:
            self._read(name, entry.region)
            return
        for piece in entry.pieces:
            blocks = enumerate(stream(name, piece, 0, piece.size, BLOCK_BYTES))
            for _ in tracked(f"checking {name}", piece.size, blocks):
                pass

    def entry(self, name: str) -> TensorEntry:
        """What the index says of tensor `name`; SourceError if it says nothing."""
        if name in self.tensors:
            return self.tensors[name]
        near = difflib.get_close_matches(name, self._comparable(name), n=1)
        hint = f"; the nearest name is {near[0]!r}" if near else ""
        raise SourceError(
            f"The checkpoint {self.prefix} has no tensor {name!r}{hint}. "
            "The graph and the checkpoint are not of the same export: export the model again."
        )

    def _comparable(self, name: str) -> list[str]:
        """Some names of tensors, to find the one that was meant in."""
        short = [n for n in itertools.islice(self.tensors, 2_000) if len(n) <= _LONGEST_HINT]
        return short if len(name) <= _LONGEST_HINT else []

    def _region(self, name: str, region: Region | None) -> Region:
        entry = self.entry(name)
        if region is None:
            return entry.region
        if not entry.shape or not region.fits(entry.shape):
            raise SourceError(
                f"The slice {region} is not inside tensor {name!r} of shape {list(entry.shape)} "
                f"in the checkpoint {self.prefix}. The graph and the checkpoint are not of the "
                "same export: export the model again."
            )
        return region

    def _read(self, name: str, box: Region) -> np.ndarray:
        entry = self.entry(name)
        if not entry.dtype.is_numpy_compatible:
            raise SourceError(
                f"Tensor {name!r} of the checkpoint {self.prefix} is of dtype "
                f"{entry.dtype.name}, which no array can hold: expected numbers or strings."
            )
        found = [(piece, piece.region.overlap(box)) for piece in entry.pieces]
        found = [(piece, part) for piece, part in found if part.size]
        if not tile([part for _, part in found], box):
            raise SourceError(
                f"The pieces of tensor {name!r} in the checkpoint {self.prefix} hold "
                f"{sum(part.size for _, part in found)} of the {box.size} elements asked for, or some "
                "twice: expected each element once. "
                "The index is damaged: copy it again from its source, or export again."
            )
        result = self._room(name, box, entry.dtype)
        for piece, part in found:
            _copy(name, piece, part, box, result)
        return result

    def _room(self, name: str, box: Region, dtype: tf.DType) -> np.ndarray:
        """An array for what `box` holds, where that is no more than anybody reads at once."""
        is_text = dtype == tf.string
        octets = box.size * (_POINTER if is_text else dtype.size)
        most = MOST_STRING_BYTES if is_text else MOST_BYTES
        if octets > most:
            raise SourceError(
                f"Tensor {name!r} of the checkpoint {self.prefix} would take {octets:,} bytes at once, "
                f"for the shape {list(box.lengths)}: expected at most {most:,}, for a row of a table or "
                "a small tensor. Export the model with other shapes."
            )
        return np.empty(box.lengths, dtype.as_numpy_dtype)


def _copy(name: str, piece: Piece, wanted: Region, box: Region, result: np.ndarray) -> None:
    """Puts into `result`, which holds `box`, the part of it that is `wanted` of the piece."""
    if result.dtype != object and wanted.lengths[1:] == box.lengths[1:] == piece.region.lengths[1:]:
        into = result[wanted.inside(box)].reshape(-1).view(np.uint8)
        for _ in _rows(name, piece, wanted, into):
            pass
        return
    blocks = _strings(name, piece) if result.dtype == object else _rows(name, piece, wanted)
    for region, octets in blocks:
        part = wanted.overlap(region)
        block = octets.view(result.dtype).reshape(region.lengths)
        result[part.inside(box)] = block[part.inside(region)]


def _rows(name: str, piece: Piece, wanted: Region, into: np.ndarray | None = None) -> Iterator[Block]:
    """The rows of a piece that `wanted` touches, in blocks of full rows; see `stream` for `into`."""
    first = wanted.starts[0] - piece.region.starts[0]
    last, row = first + wanted.lengths[0], piece.size // piece.region.lengths[0]
    step = max(1, BLOCK_BYTES // row)
    # The blocks come first in zip: at their end the checksum is compared.
    blocks = stream(name, piece, first * row, last * row, step * row, into)
    for octets, start in zip(blocks, range(first, last, step)):
        yield piece.region.rows(start, start + len(octets) // row), octets


def _strings(name: str, piece: Piece) -> Iterator[Block]:
    """All of a piece of a string tensor, checked."""
    if piece.size > MOST_STRING_BYTES:
        detail = f"expected at most {MOST_STRING_BYTES:,} bytes of strings, got {piece.size:,}"
        raise SourceError(damaged(name, piece, detail))
    content = read_octets(name, piece, 0, np.empty(piece.size, np.uint8)).tobytes()
    try:
        strings = decode_strings(content, piece.region.size)
    except ValueError as error:
        raise SourceError(damaged(name, piece, str(error))) from error
    if masked_crc(encode_strings(strings.tolist())[1]) != piece.crc:
        raise SourceError(damaged(name, piece, "its bytes do not match their checksum"))
    yield piece.region, strings


def stored_weight(reader: CheckpointReader, key: str, shape_and_slice: str = "") -> Weight:
    """The tensor under `key`, or the part of it that a saver's `shape_and_slice` names."""
    parsed = parse_region(shape_and_slice)
    region = parsed[1] if parsed else None
    entry = reader.entry(key)
    shape = region.lengths if region else entry.shape
    if entry.dtype == tf.string:
        return Weight.of_array(reader.value(key, region), key)

    def read(start: int, stop: int) -> np.ndarray:
        return reader.rows(key, start, stop, region)

    def rows_at(places: np.ndarray) -> np.ndarray:
        return reader.rows_at(key, places, region)

    return Weight(entry.dtype, tuple(shape), read, rows_at=rows_at, origin=key)
