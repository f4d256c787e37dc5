"""The bytes of a string tensor in a checkpoint, and their checksum.

varint length of every string | 4 bytes masked CRC-32C of the lengths | the strings on end

What is summed are not the varints but the lengths as 4-byte numbers (8 bytes where 4 do not do);
the checksum of the whole goes on from that of the lengths.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import google_crc32c
import numpy as np

from estimator_slim.checkpoint.checksum import masked_crc
from estimator_slim.graph import unpacked_strings, varint

_CHECKSUM_BYTES = 4


def decode_strings(content: bytes, count: int) -> np.ndarray:
    """The strings, as bytes objects, object [count].

    Raises:
      ValueError: the content is damaged.
    """
    strings = unpacked_strings(content, count, gap=_CHECKSUM_BYTES)
    result = np.empty(count, object)
    result[:] = strings
    return result


def encode_strings(strings: Sequence[bytes]) -> tuple[bytes, int]:
    """The content which `decode_strings` reads, and its CRC-32C, not masked."""
    lengths = b"".join(varint(len(string)) for string in strings)
    crc = google_crc32c.value(b"".join(_as_summed(len(string)) for string in strings))
    tail = struct.pack("<I", masked_crc(crc)) + b"".join(strings)
    return lengths + tail, google_crc32c.extend(crc, tail)


def _as_summed(length: int) -> bytes:
    return struct.pack("<I" if length < 1 << 32 else "<Q", length)
