"""Variable-length numbers: 7 bits a byte, low bits first, the top bit set on all but the last."""

from __future__ import annotations


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
