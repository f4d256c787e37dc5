"""The sorted table of byte strings (LevelDB's format) that is the .index file of a checkpoint.

block  block  ...  index block  footer             the index block lists the blocks
block = entries, restart points, then 1 byte compression (0: none, 1: Snappy), 4 bytes masked CRC-32C
entry = varints shared, added, size; `added` bytes of key; `size` bytes of value
        (the key begins with `shared` bytes of the key before it)
footer = 2 block handles (offset and size, varints) padded to 40 bytes, 8 bytes magic number
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import google_crc32c

from estimator_slim.checkpoint.checksum import masked_crc
from estimator_slim.checkpoint.snappy import decompressed
from estimator_slim.errors import SourceError
from estimator_slim.graph import read_varint, varint

Pair = tuple[bytes, bytes]

_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER = 48
_TRAILER = 5
_PLAIN, _SNAPPY = 0, 1  # how a block is compressed
_BLOCK = 1 << 18  # bytes of entries after which a new block begins
_EXPANSION = 64  # keys may be this much longer than the block that spells them by prefixes
_LONGEST_KEY = 1 << 18
_MOST_BYTES = 1 << 30  # of all blocks, as they are when nothing is compressed any more


def read_table(data: bytes, path: str) -> list[Pair]:
    """The (key, value) pairs of a table file's content, in order; `path` is for the message.

    Raises:
      SourceError: the table is cut short, damaged, or compressed in another way than by Snappy.
    """
    try:
        if len(data) < _FOOTER or data[-8:] != _MAGIC:
            raise ValueError(f"its {len(data)} bytes do not end with a table's magic number")
        pairs = [pair for block in _blocks(data) for pair in _entries(block)]
        if any(a[0] >= b[0] for a, b in zip(pairs, pairs[1:])):
            raise ValueError("its keys are not in order")
        return pairs
    except (ValueError, IndexError, struct.error) as error:
        raise SourceError(
            f"The checkpoint index {path} cannot be read: {error}. Expected the complete .index "
            "file of a TensorFlow V2 checkpoint. Copy it again from its source, or export again."
        ) from error


def write_table(pairs: Iterable[Pair]) -> bytes:
    """The table file that holds these pairs, whose keys must be in ascending order."""
    table, index = bytearray(), []
    for block in _batches(pairs):
        index.append((block[-1][0], _append(table, block)))
    handles = _append(table, []) + _append(table, index)
    return bytes(table + handles.ljust(_FOOTER - len(_MAGIC), b"\0") + _MAGIC)


def _blocks(data: bytes) -> Iterator[bytes]:
    """The content of each data block."""
    total = 0
    for handle in _handles(data):
        block = _block(data, *handle)
        total += len(block)
        if total > _MOST_BYTES:
            raise ValueError(f"its blocks hold more than {_MOST_BYTES:,} bytes")
        yield block


def _handles(data: bytes) -> Iterator[tuple[int, int]]:
    """Offset and size of each data block; they follow one another, so that no byte is read twice."""
    footer, end = data[-_FOOTER:], 0
    _, at = _handle(footer, 0)
    index, _ = _handle(footer, at)
    for _, handle in _entries(_block(data, *index)):
        offset, size = _handle(handle, 0)[0]
        if offset < end:
            raise ValueError(f"the block at byte {offset} begins before the one in front of it ends")
        yield offset, size
        end = offset + size


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at


def _block(data: bytes, offset: int, size: int) -> bytes:
    """The content of a block, checked."""
    end = offset + size
    if end + _TRAILER > len(data) - _FOOTER:
        raise ValueError(f"a block at byte {offset} of {size} bytes leaves its {len(data)} bytes")
    block, (kind, stored) = data[offset:end], struct.unpack_from("<BI", data, end)
    if _checksum(block, kind) != stored:
        raise ValueError(f"the block at byte {offset} does not match its checksum")
    if kind not in (_PLAIN, _SNAPPY):
        raise ValueError(f"the block at byte {offset} is compressed in a way ({kind}) that is neither "
                         "none (0) nor Snappy (1)")
    return decompressed(block) if kind == _SNAPPY else block


def _entries(block: bytes) -> Iterator[Pair]:
    """The entries of a block; the restart points at its end serve binary search only."""
    (restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise ValueError("a block has more restart points than bytes")
    at, key, spelled = 0, b"", 0
    while at < end:
        shared, at = read_varint(block, at)
        added, at = read_varint(block, at)
        size, at = read_varint(block, at)
        spelled += shared + added
        if shared > len(key) or at + added + size > end or spelled > _EXPANSION * len(block):
            raise ValueError("an entry has an impossible length")
        if shared + added > _LONGEST_KEY:
            raise ValueError(f"a key has {shared + added:,} bytes, and a name at most {_LONGEST_KEY:,}")
        key = key[:shared] + block[at : at + added]
        at += added + size
        yield key, block[at - size : at]


def _batches(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """The pairs in blocks of about _BLOCK bytes."""
    batch, size = [], 0
    for pair in pairs:
        batch.append(pair)
        size += len(pair[0]) + len(pair[1])
        if size >= _BLOCK:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _append(table: bytearray, pairs: list[Pair]) -> bytes:
    """Put one block at the end of the table, every key spelled out; returns its handle."""
    block, restarts = bytearray(), []
    for key, value in pairs:
        restarts.append(len(block))
        block += varint(0) + varint(len(key)) + varint(len(value)) + key + value
    restarts = restarts or [0]
    block += struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))
    handle = varint(len(table)) + varint(len(block))
    table += block + struct.pack("<BI", _PLAIN, _checksum(bytes(block), _PLAIN))
    return handle


def _checksum(block: bytes, kind: int) -> int:
    """What is stored behind a block and the byte that tells its compression."""
    return masked_crc(google_crc32c.extend(google_crc32c.value(block), bytes([kind])))
