"""How TensorFlow packs strings into bytes, in a Const and in a checkpoint: lengths first, then strings.

A length is a varint: 7 bits a byte, low bits first, the top bit set on all bytes but the last.

    [b"ab", b"", b"c"]  ↔  02 00 01 61 62 63
"""

from __future__ import annotations


def unpacked_strings(content: bytes, count: int, gap: int = 0) -> list[bytes]:
    """The `count` strings of `content`, where `gap` bytes lie between the lengths and the strings.

    >>> unpacked_strings(b"\\2\\0\\1abc", 3)
    [b'ab', b'', b'c']

    Raises:
      ValueError: `content` is not that of `count` strings.
    """
    lengths: list[int] = []
    at = 0
    while len(lengths) < count and at < len(content):
        length, at = read_varint(content, at)
        lengths.append(length)
    at += gap
    if len(lengths) < count or at + sum(lengths) != len(content):
        raise ValueError(f"{len(content)} bytes do not make {count} strings")
    strings = []
    for length in lengths:
        strings.append(content[at : at + length])
        at += length
    return strings


def read_varint(content: bytes, at: int) -> tuple[int, int]:
    """The number, not negative, that begins at content[at], and where it ends.

    Raises:
      ValueError: it runs past the end or past 10 bytes.
    """
    number = 0
    for shift, byte in enumerate(content[at : at + 10]):
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
