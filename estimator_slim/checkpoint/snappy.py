"""Snappy, by which the blocks of an index may be compressed: TensorFlow reads them, Google writes them.

    size of what comes of it (a varint), then elements, each a tag and what belongs to it:
    ......00  literal    the next bytes as they stand; how many, the tag says or 1 to 4 bytes behind it
    ......01  copy       4 to 11 bytes of what is already there, from up to 2047 bytes before its end
    ......10 and 11      1 to 64 bytes, from up to 65,535 bytes and 4 GB before
"""

from __future__ import annotations

from estimator_slim.graph import read_varint

_MOST_EXPANSION = 22  # an element of 3 bytes makes at most 64
_MOST_BYTES = 1 << 28  # of a block; TensorFlow writes blocks of 256 KiB
_LONG_LITERAL = 60


def decompressed(block: bytes) -> bytes:
    """What `block` is the compressed form of.

    Raises:
      ValueError, IndexError: it is none. No more is ever made than it announces, and that is at most 22
        times its bytes, and 256 MiB.
    """
    size, at = read_varint(block, 0)
    if size > min(_MOST_EXPANSION * len(block), _MOST_BYTES):
        raise ValueError(f"{len(block):,} compressed bytes cannot become {size:,}")
    content = bytearray()
    while at < len(block):
        tag, at = block[at], at + 1
        if tag & 3:
            length, distance, at = _copy(block, tag, at)
            _repeat(content, length, distance)
        else:
            length, at = _literal(block, tag, at)
            content += block[at:at + length]
            at += length
        if at > len(block) or len(content) > size:
            break
    if at != len(block) or len(content) != size:
        raise ValueError(f"its compressed bytes do not make the {size:,} that they announce")
    return bytes(content)


def _literal(block: bytes, tag: int, at: int) -> tuple[int, int]:
    """The length of a literal, and where it begins."""
    length = (tag >> 2) + 1
    if length <= _LONG_LITERAL:
        return length, at
    end = at + length - _LONG_LITERAL
    return int.from_bytes(block[at:end], "little") + 1, end


def _copy(block: bytes, tag: int, at: int) -> tuple[int, int, int]:
    """The length of a copy, how far back it begins, and where the next element does."""
    kind = tag & 3
    if kind == 1:
        return 4 + (tag >> 2 & 7), (tag >> 5) << 8 | block[at], at + 1
    end = at + (2 if kind == 2 else 4)
    return (tag >> 2) + 1, int.from_bytes(block[at:end], "little"), end


def _repeat(content: bytearray, length: int, distance: int) -> None:
    """Appends `length` bytes from `distance` before the end, which may reach into what is appended."""
    if not 0 < distance <= len(content):
        raise ValueError(f"its compressed bytes refer to {distance:,} bytes back, of {len(content):,}")
    start = len(content) - distance
    part = content[start:start + length]
    content += (part * (length // len(part) + 1))[:length]
