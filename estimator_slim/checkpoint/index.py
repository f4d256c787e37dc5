"""What the .index of a checkpoint says: each tensor's dtype and shape, and where its bytes lie.

key ""          BundleHeaderProto, the number of data files
key "a/name"    BundleEntryProto: dtype, shape, and either shard, offset, size, checksum
                or the list of slices, when the tensor was saved in pieces
key of a slice  BundleEntryProto of that piece; the key spells name and slice (`slice_key`)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

from estimator_slim.checkpoint.region import Region, Shape
from estimator_slim.checkpoint.table import read_table
from estimator_slim.errors import SourceError

HEADER_KEY = b""
FORMAT_VERSION = 1

_SLICE_MARK = b"\0"
_MOST_BYTES = 1 << 30  # of an index
_MOST_AXES = 32  # of an array; TensorFlow's own kernels take 8


@dataclass(frozen=True)
class Piece:
    """A stored slice of a tensor: `size` bytes at `offset` of the data file `path`."""

    region: Region
    path: str
    offset: int
    size: int
    crc: int


@dataclass(frozen=True)
class TensorEntry:
    """A tensor of a checkpoint; shape () is a scalar, stored as if it were [1]."""

    dtype: tf.DType
    shape: Shape
    pieces: tuple[Piece, ...]

    @property
    def region(self) -> Region:
        """All of the tensor."""
        return Region.whole(self.shape or (1,))


def data_path(prefix: str, shard: int, shards: int) -> str:
    """The name of one data file of a checkpoint."""
    return f"{prefix}.data-{shard:05d}-of-{shards:05d}"


def read_index(prefix: str) -> dict[str, TensorEntry]:
    """The tensors which PREFIX.index describes, by name.

    Raises:
      SourceError: it is missing, too large, damaged, or of a kind that cannot be read.
    """
    pairs = dict(read_table(_content(f"{prefix}.index"), f"{prefix}.index"))
    try:
        return dict(_Index(pairs, prefix, _shards(pairs)).tensors())
    except (DecodeError, ValueError, TypeError, KeyError) as error:
        raise SourceError(
            f"The checkpoint index {prefix}.index cannot be read: {error}. Expected the .index "
            "file of a TensorFlow V2 checkpoint. Copy it again from its source, or export again."
        ) from error


def slice_key(name: str, slices: Iterable[tuple[int, int]]) -> bytes:
    """The key of a piece: 0, name and every start and length, in bytes that sort as they do."""
    extents = list(slices)
    rank = len(extents).to_bytes((len(extents).bit_length() + 7) // 8, "big")
    escaped = name.encode().replace(b"\0", b"\0\xff").replace(b"\xff", b"\xff\0")
    key = _SLICE_MARK + escaped + b"\0\1" + bytes([len(rank)]) + rank
    return key + b"".join(_ordered(number) for extent in extents for number in extent)


def _content(path: str) -> bytes:
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            if file.size() > _MOST_BYTES:
                raise SourceError(
                    f"The checkpoint index {path} has {file.size():,} bytes: expected at most "
                    f"{_MOST_BYTES:,}. Copy it again from its source, or export again."
                )
            return file.read()
    except tf.errors.OpError as error:
        raise SourceError(
            f"The checkpoint index {path} cannot be read: {error.message}. Expected a TensorFlow "
            "V2 checkpoint (PREFIX.index and PREFIX.data-*): check the path, or export again."
        ) from error


def _ordered(number: int) -> bytes:
    """A signed number in n bytes, the top n bits (or, below zero, their opposite) set."""
    n = ((number if number >= 0 else ~number).bit_length()) // 7 + 1
    marked = (number % (1 << 8 * n)) ^ ((1 << n) - 1 << 7 * n)
    return marked.to_bytes(n, "big")


@dataclass(frozen=True)
class _Index:
    """The pairs of an index and what its header says of all of them."""

    pairs: Mapping[bytes, bytes]
    prefix: str
    shards: int

    def tensors(self) -> Iterator[tuple[str, TensorEntry]]:
        """Each tensor with its pieces; the keys of the pieces themselves are passed over."""
        for key, value in self.pairs.items():
            if key != HEADER_KEY and not key.startswith(_SLICE_MARK):
                name, entry = key.decode(), tensor_bundle_pb2.BundleEntryProto.FromString(value)
                shape = _shape(name, entry.shape)
                pieces = tuple(self._pieces(name, shape, entry))
                yield name, TensorEntry(tf.as_dtype(entry.dtype), shape, pieces)

    def _pieces(
        self, name: str, shape: Shape, entry: tensor_bundle_pb2.BundleEntryProto
    ) -> Iterator[Piece]:
        """The pieces of a tensor: itself, unless it was saved in slices."""
        if not entry.slices:
            yield self._piece(name, Region.whole(shape or (1,)), entry)
        for part in entry.slices:
            # "All of this axis" is an extent without a length, and -1 in the key.
            extents = [(e.start, e.length if e.HasField("length") else -1) for e in part.extent]
            value = self.pairs.get(slice_key(name, extents))
            if value is None:
                raise ValueError(f"the slice {extents} of tensor {name!r} is not in it")
            stored = tensor_bundle_pb2.BundleEntryProto.FromString(value)
            lengths = [size if length < 0 else length for (_, length), size in zip(extents, shape)]
            region = Region(tuple(start for start, _ in extents), tuple(lengths))
            same = (stored.dtype, _shape(name, stored.shape)) == (entry.dtype, region.lengths)
            if not same or not region.fits(shape):
                raise ValueError(f"the slice {extents} of tensor {name!r} is no part of it")
            yield self._piece(name, region, stored)

    def _piece(self, name: str, region: Region, entry: tensor_bundle_pb2.BundleEntryProto) -> Piece:
        """One stored piece, once its place and size make sense."""
        if not 0 <= entry.shard_id < self.shards or entry.offset < 0:
            raise ValueError(
                f"tensor {name!r} is said to lie in data file {entry.shard_id} of {self.shards}, "
                f"at byte {entry.offset}"
            )
        dtype = tf.as_dtype(entry.dtype)
        if not _plausible(dtype, region, entry.size):
            raise ValueError(
                f"tensor {name!r} of shape {list(region.lengths)} and dtype {dtype.name} cannot "
                f"take {entry.size} bytes"
            )
        path = data_path(self.prefix, entry.shard_id, self.shards)
        return Piece(region, path, entry.offset, entry.size, entry.crc32c)


def _shards(pairs: Mapping[bytes, bytes]) -> int:
    """The number of data files, from a header of a format that can be read."""
    if HEADER_KEY not in pairs:
        raise ValueError("it has no header")
    header = tensor_bundle_pb2.BundleHeaderProto.FromString(pairs[HEADER_KEY])
    if header.endianness != tensor_bundle_pb2.BundleHeaderProto.LITTLE:
        raise ValueError("it was written by a big-endian machine")
    if header.version.min_consumer > FORMAT_VERSION:
        raise ValueError(f"its format {header.version.min_consumer} is newer than {FORMAT_VERSION}")
    return header.num_shards


def _plausible(dtype: tf.DType, region: Region, size: int) -> bool:
    """Whether elements of this dtype can take so many bytes; each string takes one at least."""
    if dtype == tf.string:
        return size >= region.size
    if not dtype.is_numpy_compatible:
        return size >= 0  # a variant: it is listed, and cannot be read
    return size == region.size * dtype.size


def _shape(name: str, proto: tensor_shape_pb2.TensorShapeProto) -> Shape:
    shape = tuple(dim.size for dim in proto.dim)
    # An array cannot have more, not even an empty one: an axis of length 0 makes no difference.
    is_impossible = math.prod(max(1, size) for size in shape) >= 1 << 58
    if proto.unknown_rank or min(shape, default=0) < 0 or is_impossible or len(shape) > _MOST_AXES:
        raise ValueError(f"tensor {name!r} has the impossible shape {list(shape)}")
    return shape
