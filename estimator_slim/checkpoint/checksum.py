"""The checksums in a checkpoint's files: CRC-32C of the bytes, rotated and shifted by a constant.

google_crc32c sums; it takes bytes and contiguous arrays as they are, and no bytearray or memoryview.
"""

from __future__ import annotations

_DELTA = 0xA282EAD8


def masked_crc(crc: int) -> int:
    """The form in which a CRC-32C is stored, so that the checksum of a checksum is no special case.

    >>> import google_crc32c
    >>> hex(masked_crc(google_crc32c.value(b"123456789")))
    '0xc78ab0e5'
    """
    return (((crc >> 15) | (crc << 17)) + _DELTA) & 0xFFFFFFFF
