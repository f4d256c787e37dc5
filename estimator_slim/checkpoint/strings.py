"""Variable-length numbers: 7 bits a byte, low bits first, the top bit set on all but the last.

The bytes of a string tensor in a checkpoint.

    varint length of every string | 4 bytes masked CRC-32C of the lengths | the strings on end

The lengths are summed as 4-byte numbers (8 when 4 do not do), not as the varints they are
stored as, and so they are in the checksum of the whole.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from estimator_slim.checkpoint.checksum import extend_crc, masked_crc


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number, not negative, that begins at data[at], and where it ends.

    Raises:
      ValueError: it runs past the end or past 10 bytes.
    """
    number = 0
    for shift, byte in enumerate(data[at : at + 10]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return number, at + shift + 1
    raise ValueError(f"the number at byte {at} has no end")


def varint(number: int) -> bytes:
    """The bytes that `read_varint` reads as this number, which is not negative."""
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(encoded) + bytes([number])


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
    crc = extend_crc(0, b"".join(_as_summed(len(string)) for string in strings))
    checksum = struct.pack("<I", masked_crc(crc))
    joined = b"".join(strings)
    return lengths + checksum + joined, extend_crc(extend_crc(crc, checksum), joined)


def _as_summed(length: int) -> bytes:
    return struct.pack("<I" if length < 1 << 32 else "<Q", length)
