"""The bytes of a string tensor in a checkpoint.

    varint length of every string | 4 bytes masked CRC-32C of the lengths | the strings on end

The lengths are summed as 4-byte numbers (8 when 4 do not do), not as the varints they are
stored as, and so they are in the checksum of the whole.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from estimator_slim.saved_model import crc32c
from estimator_slim.saved_model.varint import read_varint, varint


def decode_strings(content: bytes, count: int) -> np.ndarray:
    """The strings, as bytes objects, object [count].

    Raises:
      ValueError: the content is damaged.
    """
    lengths, at = [], 0
    for _ in range(count):
        length, at = read_varint(content, at)
        lengths.append(length)
    if at + 4 + sum(lengths) != len(content):
        raise ValueError(f"{count} strings do not fill {len(content)} bytes")
    strings, at = np.empty(count, object), at + 4
    for i, length in enumerate(lengths):
        strings[i] = content[at : at + length]
        at += length
    return strings


def encode_strings(strings: Sequence[bytes]) -> tuple[bytes, int]:
    """The content which `decode_strings` reads, and its CRC-32C, not masked."""
    lengths = b"".join(varint(len(string)) for string in strings)
    crc = crc32c.extend(0, b"".join(_as_summed(len(string)) for string in strings))
    checksum = struct.pack("<I", crc32c.masked(crc))
    joined = b"".join(strings)
    return lengths + checksum + joined, crc32c.extend(crc32c.extend(crc, checksum), joined)


def _as_summed(length: int) -> bytes:
    return struct.pack("<I" if length < 1 << 32 else "<Q", length)
